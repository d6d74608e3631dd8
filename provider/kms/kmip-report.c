/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-report.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VENDOR_MAX 256
/* Versions of KMIP that are told; there have been eight. */
#define VERSIONS_MAX 16

/* KMIP 1.4, section 9.1.3.2.27, in the order of their numbers, from 1. */
static const char *const operations[] = {
	"Create", "Create Key Pair", "Register", "Re-key", "Derive Key", "Certify", "Re-certify",
	"Locate", "Check", "Get", "Get Attributes", "Get Attribute List", "Add Attribute",
	"Modify Attribute", "Delete Attribute", "Obtain Lease", "Get Usage Allocation", "Activate",
	"Revoke", "Destroy", "Archive", "Recover", "Validate", "Query", "Cancel", "Poll", "Notify",
	"Put", "Re-key Key Pair", "Discover Versions", "Encrypt", "Decrypt", "Sign",
	"Signature Verify", "MAC", "MAC Verify", "RNG Retrieve", "RNG Seed", "Hash",
	"Create Split Key", "Join Split Key", "Import", "Export",
};

#define OPERATION_COUNT (sizeof operations / sizeof *operations)

/* What does not work without an operation. */
static const struct {
	enum kmip_operation operation;
	const char *lost;
} needed[] = {
	{ KMIP_LOCATE, "no key is found" },
	{ KMIP_GET_ATTRIBUTES, "no key is found" },
	{ KMIP_GET, "no public key is read: no key is made" },
	{ KMIP_CREATE_KEY_PAIR, "no key is made or rotated here" },
	{ KMIP_ACTIVATE, "only a server that activates keys itself will use those made here" },
	{ KMIP_SIGN, "nothing is signed, nor the registry: no key is made or rotated here" },
	{ KMIP_DECRYPT, "nothing is decrypted" },
	{ KMIP_REVOKE, "keys past their grace are not destroyed" },
	{ KMIP_DESTROY, "keys past their grace are not destroyed" },
};

struct report {
	const struct kms_report_request *request; /* borrowed */
	struct kmip_session *session;             /* borrowed */
};

/* text: taken; NULL when memory was short. */
static void
tell(const struct report *report, enum kms_remark remark, char *text)
{
	if (text != NULL)
		report->request->remarked(report->request->context, remark, report->session->server->name,
		                          text);
	free(text);
}

/* list (taken, may be NULL) with one more; NULL: memory is short. */
static char *
add(char *list, const char *item)
{
	char *longer = text_format("%s%s%s", list == NULL ? "" : list, list == NULL ? "" : ", ", item);

	free(list);
	return longer;
}

static CK_RV
tell_versions(const struct report *report)
{
	struct kmip_session *session = report->session;
	struct kmip_answer answer;
	char *list = NULL, version[32];
	int32_t major, minor;
	unsigned count = 0;
	struct ttlv item;
	bool more;
	CK_RV rv;

	(void)kmip_session_request(session, KMIP_DISCOVER_VERSIONS);
	rv = kmip_session_call(session, KMIP_DISCOVER_VERSIONS, &answer);
	for (more = rv == CKR_OK && ttlv_first(&answer.payload, &item); more && count < VERSIONS_MAX;
	     more = ttlv_next(&answer.payload, &item)) {
		if (item.tag != KMIP_PROTOCOL_VERSION ||
		    !ttlv_get_integer(&item, KMIP_PROTOCOL_VERSION_MAJOR, &major) ||
		    !ttlv_get_integer(&item, KMIP_PROTOCOL_VERSION_MINOR, &minor))
			continue;
		snprintf(version, sizeof version, "%d.%d", (int)major, (int)minor);
		list = add(list, version);
		count++;
	}
	kmip_answer_clear(&answer);
	if (kmip_session_is_lost(rv))
		return rv;
	tell(report, KMS_FACT, text_format("speaks KMIP %s; 1.%d is used, over %s",
	                                   list == NULL ? "of versions that it does not tell" : list,
	                                   session->minor, kmip_stream_version(session->stream)));
	free(list);
	return CKR_OK;
}

static void
tell_vendor(const struct report *report, const struct ttlv *payload)
{
	struct ttlv item;
	char *vendor = NULL;

	if (ttlv_find(payload, KMIP_VENDOR_IDENTIFICATION, &item) &&
	    ttlv_text_dup(&item, VENDOR_MAX, &vendor))
		tell(report, KMS_FACT, text_format("is \"%s\"", vendor));
	else
		tell(report, KMS_FACT, text_format("does not tell its vendor"));
	free(vendor);
}

static void
tell_operations(const struct report *report, const struct ttlv *payload)
{
	bool offered[OPERATION_COUNT + 1] = { false };
	uint32_t number;
	char *list = NULL;
	struct ttlv item;
	bool more;

	for (more = ttlv_first(payload, &item); more; more = ttlv_next(payload, &item))
		if (item.tag == KMIP_OPERATION && ttlv_to_enumeration(&item, &number) &&
		    number <= OPERATION_COUNT)
			offered[number] = true;
	for (size_t i = 1; i <= OPERATION_COUNT; i++)
		if (offered[i])
			list = add(list, operations[i - 1]);
	tell(report, KMS_FACT, text_format("has the operations %s", list == NULL ? "(none)" : list));
	free(list);
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
		if (!offered[needed[i].operation])
			tell(report, KMS_LACK, text_format("has no %s: %s",
			                                   operations[needed[i].operation - 1],
			                                   needed[i].lost));
}

static CK_RV
ask(const struct report *report)
{
	struct ttlv_writer *writer = kmip_session_request(report->session, KMIP_QUERY);
	struct kmip_answer answer;
	CK_RV rv;

	ttlv_enumeration(writer, KMIP_QUERY_FUNCTION, KMIP_QUERY_OPERATIONS);
	ttlv_enumeration(writer, KMIP_QUERY_FUNCTION, KMIP_QUERY_SERVER_INFORMATION);
	rv = kmip_session_call(report->session, KMIP_QUERY, &answer);
	if (rv == CKR_OK) {
		tell_vendor(report, &answer.payload);
		tell_operations(report, &answer.payload);
	} else if (!kmip_session_is_lost(rv)) {
		tell(report, KMS_FACT, text_format("does not tell its vendor, nor its operations (%s)",
		                                   kmip_session_refusal(report->session)));
	}
	kmip_answer_clear(&answer);
	return kmip_session_is_lost(rv) ? rv : tell_versions(report);
}

static void
tell_fault(struct kmip *kmip, struct kmip_server *server, const struct kms_report_request *request,
           CK_RV rv)
{
	struct kmip_session none = { .server = server };
	struct report report = { request, &none };
	char *why = kmip_server_why(kmip, server);

	if (why != NULL)
		tell(&report, KMS_FAULT, text_format("does not answer: %s", why));
	else
		tell(&report, KMS_FAULT, text_format("can't be asked: %s", ckr_name(rv)));
	free(why);
}

static CK_RV
report_one(struct kmip *kmip, struct kmip_server *server,
           const struct kms_report_request *request, struct deadline deadline)
{
	int64_t left = deadline_left_ms(deadline);
	struct kms_attempt attempt = {
		.deadline = left < kmip->config->deadline_ms ? deadline
		                                             : deadline_in(kmip->config->deadline_ms),
	};
	struct kmip_session session;
	struct report report = { request, &session };
	CK_RV rv;

	rv = kmip_session_open_at(kmip, server, &attempt, &session);
	if (rv == CKR_OK) {
		session.quiet = true; /* it is told */
		rv = ask(&report);
		kmip_session_close(&session);
	}
	if (rv != CKR_OK)
		tell_fault(kmip, server, request, rv);
	return rv;
}

CK_RV
kmip_report(struct kmip *kmip, const struct kms_report_request *request,
            struct kms_attempt *attempt)
{
	CK_RV first = CKR_OK, rv;
	bool answered = false;

	/* What was told must not be told again. */
	attempt->final = true;
	for (size_t i = 0; i < kmip->server_count; i++) {
		rv = report_one(kmip, &kmip->servers[i], request, attempt->deadline);
		answered |= rv == CKR_OK;
		if (first == CKR_OK)
			first = rv;
	}
	return answered ? CKR_OK : first;
}
