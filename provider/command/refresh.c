/* SPDX-License-Identifier: Apache-2.0 */
#include "command/output.h"
#include "command/workspace.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_SIZE 40

/* One line that is written over; only where somebody can see it move. */
static void
show_progress(void *context, size_t done, size_t total)
{
	static const char bar[BAR_SIZE + 1] = "########################################";
	size_t *shown = context;
	size_t filled = total == 0 ? BAR_SIZE : done * BAR_SIZE / total;

	if (filled == *shown && done != total)
		return;
	*shown = filled;
	fprintf(stderr, "\r[%-*.*s] %zu/%zu", BAR_SIZE, (int)filled, bar, done, total);
	fflush(stderr);
}

static int
tell(const struct arguments *arguments, const struct workspace *workspace,
     const struct refresh_summary *summary, bool dry_run)
{
	json_t *json;

	if (arguments->options[OPTION_JSON] == NULL) {
		say("token %s: %s%u rotated, %u purged, %u finished, %u undone, %u failed",
		    workspace->token->name, dry_run ? "would be: " : "", summary->rotated,
		    summary->purged, summary->finished, summary->undone, summary->failed);
	} else {
		json = json_pack("{s:o, s:b, s:i, s:i, s:i, s:i, s:i}", "token",
		                 json_text(workspace->token->name), "dry_run", dry_run, "rotated",
		                 (int)summary->rotated, "purged", (int)summary->purged, "finished",
		                 (int)summary->finished, "undone", (int)summary->undone, "failed",
		                 (int)summary->failed);
		if (!say_json(json))
			return EXIT_FAILED;
	}
	return summary->failed == 0 ? EXIT_DONE : EXIT_FAILED;
}

int
command_refresh(const struct arguments *arguments)
{
	bool dry_run = arguments->options[OPTION_DRY_RUN] != NULL;
	bool visible = isatty(STDERR_FILENO) && arguments->options[OPTION_JSON] == NULL;
	struct workspace workspace = { .token = NULL };
	struct refresh_summary summary = { 0 };
	size_t shown = SIZE_MAX;
	int code;
	CK_RV rv;

	code = workspace_change(arguments, &workspace);
	if (code != EXIT_DONE)
		goto out;
	rv = lifecycle_refresh(workspace.lifecycle, dry_run, visible ? show_progress : NULL, &shown,
	                       &summary);
	if (visible && shown != SIZE_MAX)
		fputs("\r\033[K", stderr);
	code = rv == CKR_OK ? tell(arguments, &workspace, &summary, dry_run)
	                    : change_failed(&workspace, "refresh the token", rv);
out:
	workspace_close(&workspace);
	return code;
}
