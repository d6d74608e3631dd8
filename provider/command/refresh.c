/* SPDX-License-Identifier: Apache-2.0 */
#include "command/output.h"
#include "command/workspace.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
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

/* The members of the JSON object, with what they are in the summary. */
static const struct {
	const char *name;
	size_t offset;
} counts[] = {
	{ "rotated", offsetof(struct refresh_summary, rotated) },
	{ "purged", offsetof(struct refresh_summary, purged) },
	{ "finished", offsetof(struct refresh_summary, finished) },
	{ "undone", offsetof(struct refresh_summary, undone) },
	{ "kept", offsetof(struct refresh_summary, kept) },
	{ "untrue", offsetof(struct refresh_summary, untrue) },
	{ "taken_up", offsetof(struct refresh_summary, taken_up) },
	{ "waiting", offsetof(struct refresh_summary, waiting) },
	{ "missing", offsetof(struct refresh_summary, missing) },
	{ "activated", offsetof(struct refresh_summary, activated) },
	{ "deactivated", offsetof(struct refresh_summary, deactivated) },
	{ "retired", offsetof(struct refresh_summary, retired) },
	{ "certified", offsetof(struct refresh_summary, certified) },
	{ "held", offsetof(struct refresh_summary, held) },
	{ "failed", offsetof(struct refresh_summary, failed) },
	{ "left", offsetof(struct refresh_summary, left) },
};

static json_t *
summary_json(const struct workspace *workspace, const struct refresh_summary *summary,
             bool dry_run)
{
	json_t *json = json_pack("{s:o, s:b, s:b}", "token", json_text(workspace->token->name),
	                         "dry_run", dry_run, "interrupted", interrupted != 0);

	for (size_t i = 0; json != NULL && i < sizeof counts / sizeof *counts; i++) {
		unsigned count;

		memcpy(&count, (const char *)summary + counts[i].offset, sizeof count);
		if (json_object_set_new(json, counts[i].name, json_integer(count)) != 0) {
			json_decref(json);
			json = NULL;
		}
	}
	return json;
}

/* What there seldom is has a line of its own. */
static void
tell_more(const struct refresh_summary *summary)
{
	if (summary->taken_up + summary->activated + summary->deactivated + summary->retired != 0)
		say("  and %u taken up from other hosts, %u activated, %u deactivated, %u no longer kept",
		    summary->taken_up, summary->activated, summary->deactivated, summary->retired);
	if (summary->certified != 0)
		say("  and %u %s made", summary->certified,
		    plural(summary->certified, "certificate", "certificates"));
	if (summary->kept != 0)
		say("  and %u left in the KMS, of interrupted creations: this host can't keep what it has seen "
		    "of the registry", summary->kept);
	if (summary->untrue != 0)
		say("  and %u %s of interrupted creations that %s not true: see the log", summary->untrue,
		    plural(summary->untrue, "record", "records"), plural(summary->untrue, "is", "are"));
	if (summary->waiting != 0)
		say("  and %u %s for the next refresh: the KMS has not had %s for long", summary->waiting,
		    plural(summary->waiting, "waits", "wait"), plural(summary->waiting, "it", "them"));
	if (summary->missing != 0)
		say("  and %u %s missing in the KMS: see the log", summary->missing,
		    plural(summary->missing, "version that protects is", "versions that protect are"));
	if (summary->held != 0)
		say("  and %u held back until `p11-kms rebuild` has run: a backup of the registry was put "
		    "back", summary->held);
}

static int
tell(const struct arguments *arguments, const struct workspace *workspace,
     const struct refresh_summary *summary, bool dry_run)
{
	bool good = interrupted == 0 &&
	            summary->failed + summary->held + summary->missing + summary->untrue == 0;

	if (arguments->options[OPTION_JSON] != NULL) {
		if (!say_json(summary_json(workspace, summary, dry_run)))
			return EXIT_FAILED;
	} else {
		say("token %s: %s%u rotated, %u purged, %u finished, %u undone, %u failed",
		    workspace->token->name, dry_run ? "would be: " : "", summary->rotated,
		    summary->purged, summary->finished, summary->undone, summary->failed);
		tell_more(summary);
	}
	if (interrupted != 0)
		complain("interrupted: %u things are left to do; run `p11-kms refresh` again",
		         summary->left);
	return good ? EXIT_DONE : EXIT_FAILED;
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
