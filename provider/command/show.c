/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-policy.h"
#include "command/describe-version.h"
#include "command/reference.h"

#include <stdio.h>
#include <stdlib.h>

static void
say_time(const char *what, int64_t seconds, const char *none)
{
	char text[CLOCK_RFC3339_SIZE];

	if (seconds != 0)
		clock_format(seconds, text);
	else
		snprintf(text, sizeof text, "%s", none);
	say("%-15s%s", what, text);
}

static void
say_hex(const char *what, const struct buffer *data)
{
	char *hex = hex_dup(data->data, data->size);

	if (hex != NULL)
		say("%-15s%s", what, hex);
	free(hex);
}

static void
show(const struct workspace *workspace, const struct key_record *key,
     const struct version *version)
{
	char every[32], usage[40];

	duration_format(key->rotate_every, every, sizeof every);
	usage_text(version->usage, usage);
	say("%-15s%s", "name", version->name);
	say("%-15s%lld", "version", (long long)version->number);
	say_hex("id", &version->id);
	say("%-15s%s", "token", workspace->token->name);
	say("%-15s%s", "algorithm", version->algorithm->name);
	say("%-15s%s", "state", version_state_text(version));
	say_time("  since", version->superseded != 0 ? version->superseded : version->state_since, "-");
	if (version->reason != NULL)
		say("%-15s%s", "  because", version->reason);
	if (version->state == STATE_DESTROY_PENDING)
		say_time("  restorable", lifecycle_purge_time(key, version), "-");
	say("%-15s%s", "usage", usage);
	say("%-15s%s", "made", version->local ? "in the KMS" : "elsewhere, and imported");
	say_time("  on", version->created, "-");
	say_time("protects from", version->protect_from, "-");
	say_time("  until", version->protect_until, "without end");
	say("%-15s%s", "rotates every", every);
	say_time("  next", lifecycle_next_rotation(key, version), "-");
	recovery_say("recovery key", key);
	if (version->subject.size != 0)
		say_hex("subject", &version->subject);
}

int
command_show(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	struct version *version = NULL;
	struct key_record *key = NULL;
	int code;
	CK_RV rv;

	code = workspace_read(arguments, &workspace);
	if (code == EXIT_DONE)
		code = reference_find(&workspace, arguments, REFERENCE_NEWEST, &version);
	if (code != EXIT_DONE)
		goto out;
	rv = registry_key(workspace.registry, version->name, &key);
	if (rv != CKR_OK)
		code = registry_failed(&workspace, "show the key", rv);
	else if (arguments->options[OPTION_JSON] == NULL)
		show(&workspace, key, version);
	else if (!say_json(version_json(&workspace, key, version)))
		code = EXIT_FAILED;
out:
	key_record_free(&key);
	version_free(&version);
	workspace_close(&workspace);
	return code;
}
