/* SPDX-License-Identifier: Apache-2.0 */
#include "command/output.h"
#include "command/workspace.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define BAR_SIZE 40
#define BAR_PAUSE_MS 100

struct progress {
	bool visible;
	bool shown;
	int64_t at_ms; /* when it was written last */
};

static volatile sig_atomic_t interrupted;

static void
interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

/* The first one lets the key at hand be finished; a second one ends the program at once. */
static void
catch_interrupts(void)
{
	struct sigaction action = { .sa_handler = interrupt, .sa_flags = SA_RESTART | (int)SA_RESETHAND };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

/* One line that is written over; only where somebody can see it move. */
static bool
show_progress(void *context, size_t done, size_t total)
{
	static const char bar[BAR_SIZE + 1] = "########################################";
	struct progress *progress = context;
	size_t filled = total == 0 ? BAR_SIZE : done * BAR_SIZE / total;
	int64_t now = clock_monotonic_ms();

	if (progress->visible && total != 0 &&
	    (!progress->shown || done == total || now >= progress->at_ms + BAR_PAUSE_MS)) {
		progress->shown = true;
		progress->at_ms = now;
		fprintf(stderr, "\r[%-*.*s] %zu/%zu", BAR_SIZE, (int)filled, bar, done, total);
		fflush(stderr);
	}
	return interrupted == 0;
}

static json_t *
summary_json(const struct workspace *workspace, const struct refresh_summary *summary,
             bool dry_run)
{
	return json_pack("{s:o, s:b, s:b, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}",
	                 "token", json_text(workspace->token->name),
	                 "dry_run", dry_run,
	                 "interrupted", interrupted != 0,
	                 "rotated", (int)summary->rotated,
	                 "purged", (int)summary->purged,
	                 "finished", (int)summary->finished,
	                 "undone", (int)summary->undone,
	                 "taken_up", (int)summary->taken_up,
	                 "activated", (int)summary->activated,
	                 "deactivated", (int)summary->deactivated,
	                 "retired", (int)summary->retired,
	                 "certified", (int)summary->certified,
	                 "held", (int)summary->held,
	                 "failed", (int)summary->failed,
	                 "left", (int)summary->left);
}

static int
tell(const struct arguments *arguments, const struct workspace *workspace,
     const struct refresh_summary *summary, bool dry_run)
{
	json_t *json;

	if (arguments->options[OPTION_JSON] != NULL) {
		json = summary_json(workspace, summary, dry_run);
		if (!say_json(json))
			return EXIT_FAILED;
	} else {
		say("token %s: %s%u rotated, %u purged, %u finished, %u undone, %u failed",
		    workspace->token->name, dry_run ? "would be: " : "", summary->rotated,
		    summary->purged, summary->finished, summary->undone, summary->failed);
		if (summary->taken_up + summary->activated + summary->deactivated + summary->retired != 0)
			say("  and %u taken up from other hosts, %u activated, %u deactivated, %u no longer kept",
			    summary->taken_up, summary->activated, summary->deactivated, summary->retired);
		if (summary->certified != 0)
			say("  and %u %s made", summary->certified,
			    plural(summary->certified, "certificate", "certificates"));
		if (summary->held != 0)
			say("  and %u held back until `p11-kms rebuild` has run: a backup of the registry was put "
			    "back", summary->held);
	}
	if (interrupted != 0)
		complain("interrupted: %u keys are left; run `p11-kms refresh` again", summary->left);
	return summary->failed + summary->held == 0 && interrupted == 0 ? EXIT_DONE : EXIT_FAILED;
}

int
command_refresh(const struct arguments *arguments)
{
	bool dry_run = arguments->options[OPTION_DRY_RUN] != NULL;
	struct progress progress = {
		.visible = isatty(STDERR_FILENO) && arguments->options[OPTION_JSON] == NULL
	};
	struct workspace workspace = { .token = NULL };
	struct refresh_summary summary = { 0 };
	int code;
	CK_RV rv;

	code = dry_run ? workspace_preview(arguments, &workspace)
	               : workspace_change(arguments, &workspace);
	if (code != EXIT_DONE)
		goto out;
	catch_interrupts();
	rv = lifecycle_refresh(workspace.lifecycle, dry_run, show_progress, &progress, &summary);
	if (progress.shown)
		fputs("\r\033[K", stderr);
	code = rv == CKR_OK ? tell(arguments, &workspace, &summary, dry_run)
	                    : change_failed(&workspace, "refresh the token", rv);
out:
	workspace_close(&workspace);
	return code;
}
