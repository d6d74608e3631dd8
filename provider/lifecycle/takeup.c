/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/takeup.h"

#include "base/log.h"
#include "lifecycle/reconcile.h"

CK_RV
stray_take_up(struct lifecycle *lifecycle, const struct stray *stray)
{
	struct deadline deadline = deadline_patient(lifecycle->config);
	struct found_pair pair = {
		.name = stray->name, .number = stray->number, .id = stray->id.data,
		.id_size = stray->id.size,
	};
	struct buffer spki = BUFFER_INIT;
	CK_RV rv;

	rv = kms_public_key(lifecycle->kms, stray->id.data, stray->id.size, deadline, &spki);
	if (rv == CKR_OK)
		rv = kms_pair_start(lifecycle->kms, pair.id, pair.id_size, deadline, &pair.protect_from);
	if (pair.protect_from <= clock_now() || pair.protect_from > RECORD_TIME_MAX)
		pair.protect_from = 0;
	if (rv == CKR_OK)
		rv = pair_finish(lifecycle, &pair, &spki, false, deadline);
	buffer_clear(&spki);
	if (rv == CKR_OK)
		log_info("token %s: took up %s, which another host made", lifecycle->config->name,
		         stray->label);
	return rv;
}

CK_RV
stray_remove(struct lifecycle *lifecycle, const struct stray *stray)
{
	CK_RV rv;

	rv = kms_destroy_pair(lifecycle->kms, stray->id.data, stray->id.size,
	                      deadline_patient(lifecycle->config));
	if (rv == CKR_OK)
		log_info("token %s: removed a pair of a destroyed version from the KMS",
		         lifecycle->config->name);
	return rv;
}
