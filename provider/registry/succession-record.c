/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/succession-record.h"

#include "registry/canonical.h"
#include "registry/record.h"

#define SPKI_MAX 8192

void
handover_record_clear(struct handover_record *record)
{
	buffer_clear(&record->id);
	buffer_clear(&record->replaces);
	buffer_clear(&record->spki);
}

void
page_record_clear(struct page_record *page)
{
	buffer_clear(&page->hashes);
}

static bool
id_valid(const struct buffer *id)
{
	return id->size >= 1 && id->size <= RECORD_ID_MAX;
}

/* After decoding: whether the bytes were the canonical ones. Clears again. */
static CK_RV
same_again(CK_RV rv, struct buffer *again, const void *json, size_t size)
{
	if (rv == CKR_OK && !buffer_equal(again, json, size))
		rv = CKR_DATA_INVALID;
	buffer_clear(again);
	return rv;
}

CK_RV
handover_record_encode(const struct handover_record *record, struct buffer *ret_json)
{
	struct writer writer = { NULL, false };

	if (record->created < 1 || record->created > RECORD_TIME_MAX || !id_valid(&record->id) ||
	    !id_valid(&record->replaces) || record->spki.size < 1 || record->spki.size > SPKI_MAX)
		return CKR_DATA_INVALID;
	writer.object = json_object();
	writer_put(&writer, "type", json_string("authority"));
	writer_time(&writer, "created", record->created);
	writer_hex(&writer, "id", &record->id);
	writer_hex(&writer, "replaces", &record->replaces);
	writer_base64(&writer, "public_key", &record->spki);
	return writer_finish(&writer, ret_json);
}

CK_RV
handover_record_decode(const void *json, size_t size, struct handover_record *ret_record)
{
	struct buffer again = BUFFER_INIT;
	struct reader reader;
	CK_RV rv;

	*ret_record = (struct handover_record){ .created = 0 };
	rv = reader_start(&reader, json, size, "authority");
	if (rv != CKR_OK)
		return rv;
	ret_record->created = reader_time(&reader, "created");
	reader_hex(&reader, "id", &ret_record->id);
	reader_hex(&reader, "replaces", &ret_record->replaces);
	reader_base64(&reader, "public_key", &ret_record->spki);
	rv = reader_finish(&reader);
	if (rv == CKR_OK)
		rv = same_again(handover_record_encode(ret_record, &again), &again, json, size);
	return rv;
}

CK_RV
page_record_encode(const struct page_record *page, struct buffer *ret_json)
{
	struct writer writer = { NULL, false };

	if (page->first < 1 || page->first > RECORD_TIME_MAX || page->hashes.size == 0 ||
	    page->hashes.size % PAGE_HASH_SIZE != 0 ||
	    page->hashes.size > PAGE_ENTRIES * PAGE_HASH_SIZE)
		return CKR_DATA_INVALID;
	writer.object = json_object();
	writer_put(&writer, "type", json_string("past"));
	writer_put(&writer, "first", json_integer(page->first));
	writer_base64(&writer, "hashes", &page->hashes);
	return writer_finish(&writer, ret_json);
}

CK_RV
page_record_decode(const void *json, size_t size, struct page_record *ret_page)
{
	struct buffer again = BUFFER_INIT;
	struct reader reader;
	CK_RV rv;

	*ret_page = (struct page_record){ .first = 0 };
	rv = reader_start(&reader, json, size, "past");
	if (rv != CKR_OK)
		return rv;
	ret_page->first = reader_integer(&reader, "first");
	reader_base64(&reader, "hashes", &ret_page->hashes);
	rv = reader_finish(&reader);
	if (rv == CKR_OK)
		rv = same_again(page_record_encode(ret_page, &again), &again, json, size);
	return rv;
}
