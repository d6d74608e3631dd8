/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/state.h"

#include "base/log.h"
#include "lifecycle/authority-signer.h"
#include "lifecycle/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	enum move move;
	const char *word;
	unsigned from; /* 1 << enum version_state, ored */
} moves[] = {
	{ MOVE_DEACTIVATE, "deactivate", 1U << STATE_ACTIVE },
	{ MOVE_COMPROMISE, "compromise",
	  1U << STATE_PRE_ACTIVE | 1U << STATE_ACTIVE | 1U << STATE_DEACTIVATED },
	{ MOVE_DESTROY, "destroy",
	  1U << STATE_PRE_ACTIVE | 1U << STATE_ACTIVE | 1U << STATE_DEACTIVATED |
	  1U << STATE_COMPROMISED },
	{ MOVE_RESTORE, "restore", 1U << STATE_DESTROY_PENDING },
	{ MOVE_PURGE, "purge", 1U << STATE_DESTROY_PENDING },
};

#define MOVE_COUNT (sizeof moves / sizeof moves[0])

bool
state_allows(enum version_state state, enum move move)
{
	for (size_t i = 0; i < MOVE_COUNT; i++) {
		if (moves[i].move == move)
			return (moves[i].from & 1U << state) != 0;
	}
	return false;
}

void
moves_text(enum version_state state, char *out)
{
	*out = '\0';
	for (size_t i = 0; i < MOVE_COUNT; i++) {
		if ((moves[i].from & 1U << state) == 0)
			continue;
		if (*out != '\0')
			strcat(out, ", ");
		strcat(out, moves[i].word);
	}
}

struct target {
	int64_t object;
	enum move move;
	const char *reason; /* NULL: none */
	char *label;        /* owned, for the log */
};

/* It protects nothing from now on. */
static CK_RV
end(struct version *version, const struct target *target)
{
	int64_t now = clock_now();
	char *reason = NULL;

	if (target->reason != NULL) {
		reason = strdup(target->reason);
		if (reason == NULL)
			return CKR_HOST_MEMORY;
	}
	free(version->reason);
	version->reason = reason;
	version->state = target->move == MOVE_COMPROMISE ? STATE_COMPROMISED : STATE_DEACTIVATED;
	version->state_since = now;
	version->superseded = 0;
	if (version->protect_until == 0 || version->protect_until > now)
		version->protect_until = now;
	return CKR_OK;
}

static CK_RV
build(struct registry *registry, struct change *change, void *context)
{
	struct target *target = context;
	struct version *version = NULL;
	CK_RV rv;

	rv = registry_version(registry, target->object, &version);
	if (rv != CKR_OK)
		return rv;
	rv = CKR_ACTION_PROHIBITED;
	if (!state_allows(version->state, target->move))
		goto out;
	rv = end(version, target);
	if (rv == CKR_OK)
		rv = change_add_version(change, version);
	if (rv != CKR_OK)
		goto out;
	free(target->label);
	if (asprintf(&target->label, "%s@%lld", version->name, (long long)version->number) < 0) {
		target->label = NULL;
		rv = CKR_HOST_MEMORY;
	}
out:
	version_free(&version);
	return rv;
}

static CK_RV
move(struct lifecycle *lifecycle, struct target *target)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	CK_RV rv;

	rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after, build,
	                     target);
	if (rv == CKR_OK)
		log_info("token %s: %s is %s", lifecycle->config->name, target->label,
		         target->move == MOVE_COMPROMISE ? "compromised" : "deactivated");
	free(target->label);
	return rv;
}

CK_RV
lifecycle_deactivate(struct lifecycle *lifecycle, int64_t object)
{
	struct target target = { .object = object, .move = MOVE_DEACTIVATE };

	return move(lifecycle, &target);
}

CK_RV
lifecycle_compromise(struct lifecycle *lifecycle, int64_t object, const char *reason)
{
	struct target target = { .object = object, .move = MOVE_COMPROMISE, .reason = reason };

	if (!record_reason_valid(reason))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return move(lifecycle, &target);
}
