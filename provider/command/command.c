/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"

#include <string.h>

#define END OPTION_COUNT

/* In the order in which --help lists them: as they are needed. */
static const struct command commands[] = {
	{
		.name = "init", .operands = "",
		.summary = "set a token up: authority, registry",
		.details = "Makes the authority (the key that signs the registry) in the KMS, the file of its "
		           "public half, and the registry. Files and folders are those of the "
		           "configuration. A second run finishes what an interrupted one left. Where the KMS "
		           "holds keys already and the registry is missing, it refuses: see rebuild.",
		.options = { OPTION_ANEW, OPTION_PIN_SOURCE, END },
		.run = command_init,
	}, {
		.name = "create", .operands = "NAME", .least = 1, .most = 1,
		.summary = "make a new key",
		.details = "The pair is made in the KMS; the public half goes into the registry.",
		.options = { OPTION_ACTIVATE_AT, OPTION_ALGORITHM, OPTION_ID, OPTION_PIN_SOURCE,
		             OPTION_ROTATE_EVERY, OPTION_SET, OPTION_USAGE, END },
		.run = command_create,
	}, {
		.name = "list", .operands = "",
		.summary = "list keys",
		.details = "One line for each key: its current version, or the newest when none is current.",
		.options = { OPTION_ALL, END },
		.run = command_list,
	}, {
		.name = "show", .operands = "NAME[@VERSION]", .most = 1,
		.summary = "show all about a key",
		.details = "Without VERSION the current one, or the newest when none is current.",
		.options = { OPTION_ID, END },
		.run = command_show,
	}, {
		.name = "export", .operands = "NAME[@VERSION]", .most = 1,
		.summary = "write a public key",
		.details = "Without VERSION the current one.",
		.options = { OPTION_FORMAT, OPTION_ID, OPTION_OUT, END },
		.run = command_export,
	}, {
		.name = "certificate", .operands = "NAME[@VERSION]", .most = 1,
		.summary = "make, request, keep a certificate for a key",
		.details = "Writes a self-signed certificate or, with --csr, a request for one, signed in "
		           "the KMS. --import keeps a certificate beside the key, where applications "
		           "find it; --export writes the one that is kept. --dns and --ip may be given "
		           "several times. Without VERSION the current one.",
		.options = { OPTION_CSR, OPTION_DAYS, OPTION_DNS, OPTION_EXPORT, OPTION_FORMAT,
		             OPTION_ID, OPTION_IMPORT, OPTION_IP, OPTION_OUT, OPTION_PIN_SOURCE,
		             OPTION_PSS, OPTION_SUBJECT, END },
		.run = command_certificate,
	}, {
		.name = "encrypt", .operands = "NAME[@VERSION]", .least = 1, .most = 1,
		.summary = "encrypt small data, such as a data key",
		.details = "RSA-OAEP with SHA-256, through the PKCS#11 module: 190 bytes at most with "
		           "rsa-2048, 318 with rsa-3072, 446 with rsa-4096. Needs no KMS. The version that "
		           "was used is told on stderr: keep its id beside the ciphertext. Where the key's "
		           "policy names a recovery key, FILE.recovery is written beside the FILE of --out, "
		           "which only the recovery key opens.",
		.options = { OPTION_IN, OPTION_OUT, END },
		.run = command_encrypt,
	}, {
		.name = "decrypt", .operands = "NAME[@VERSION]", .most = 1,
		.summary = "decrypt what encrypt made",
		.details = "With --id or VERSION by that version; with a NAME alone each version is tried, "
		           "newest first.",
		.options = { OPTION_ID, OPTION_IN, OPTION_OUT, OPTION_PIN_SOURCE, END },
		.run = command_decrypt,
	}, {
		.name = "rotate", .operands = "NAME...", .least = 1, .most = 10000,
		.summary = "make the next version of keys",
		.details = "The new version is the current one at once; older ones go on decrypting and "
		           "verifying.",
		.options = { OPTION_ACTIVATE_AT, OPTION_ALGORITHM, OPTION_PIN_SOURCE, END },
		.run = command_rotate,
	}, {
		.name = "policy", .operands = "NAME", .least = 1, .most = 1,
		.summary = "show or change the policy of a key",
		.details = "The settings are algorithm, usage, rotate-every, overlap (how long a version "
		           "still protects after a rotation), keep-versions, keep-for, destroy-after, "
		           "mechanisms and recovery (a PEM file with an offline public key, or none). "
		           "--set may be given several times. The allowed mechanisms are those of the "
		           "current version at once, the rest counts from the next version on.",
		.options = { OPTION_PIN_SOURCE, OPTION_SET, END },
		.run = command_policy,
	}, {
		.name = "refresh", .operands = "",
		.summary = "rotate what is due, purge, sign anew (for a timer)",
		.details = "Signs a new head of the registry, finishes or undoes what an interrupted creation "
		           "left, takes up the versions that other hosts made, does what the keys' policies "
		           "say is due, and removes from the KMS what was destroyed longer ago than its "
		           "grace. May be run at any time, on several hosts, and be interrupted.",
		.options = { OPTION_DRY_RUN, OPTION_PIN_SOURCE, END },
		.run = command_refresh,
	}, {
		.name = "deactivate", .operands = "NAME@VERSION", .most = 1,
		.summary = "let a version protect nothing any more",
		.details = "It goes on decrypting and verifying. A key whose current version is deactivated "
		           "encrypts and signs nothing until it is rotated.",
		.options = { OPTION_ID, OPTION_PIN_SOURCE, END },
		.run = command_deactivate,
	}, {
		.name = "compromise", .operands = "NAME@VERSION", .most = 1,
		.summary = "mark a version as compromised",
		.details = "For one whose private half is no secret any more. It goes on decrypting and "
		           "verifying, and is shown as what it is. Rotate the key next, if it was the "
		           "current version.",
		.options = { OPTION_ID, OPTION_PIN_SOURCE, OPTION_REASON, END },
		.run = command_compromise,
	}, {
		.name = "destroy", .operands = "NAME@VERSION", .most = 1,
		.summary = "destroy a version, after a grace period",
		.details = "Applications no longer see it at once. Until the grace period (destroy-after) is "
		           "over, restore brings it back; then refresh removes it from the KMS for good.",
		.options = { OPTION_ID, OPTION_PIN_SOURCE, OPTION_YES, END },
		.run = command_destroy,
	}, {
		.name = "restore", .operands = "NAME@VERSION", .most = 1,
		.summary = "undo destroy, within the grace period",
		.details = "It becomes the current version again when its period is not over and the key "
		           "has no other; else it only decrypts and verifies.",
		.options = { OPTION_ID, OPTION_PIN_SOURCE, END },
		.run = command_restore,
	}, {
		.name = "purge", .operands = "NAME@VERSION", .most = 1,
		.summary = "destroy for good, without waiting for the grace",
		.details = "Only what was destroyed before. The pair is removed from the KMS at once.",
		.options = { OPTION_ID, OPTION_PIN_SOURCE, OPTION_YES, END },
		.run = command_purge,
	}, {
		.name = "adopt", .operands = "[NAME]", .most = 1,
		.summary = "take in a pair that is in the KMS already",
		.details = "Its public half is looked at closely, its private half must prove itself. NAME "
		           "is by default its label, or its id. With --all, every pair that neither is in "
		           "the registry nor was made by p11-kms.",
		.options = { OPTION_ALL, OPTION_DRY_RUN, OPTION_ID, OPTION_LABEL, OPTION_PIN_SOURCE,
		             OPTION_ROTATE_EVERY, OPTION_USAGE, END },
		.run = command_adopt,
	}, {
		.name = "rebuild", .operands = "",
		.summary = "make a lost registry again from the KMS",
		.details = "Takes in every version that the KMS holds and the registry does not, by the "
		           "labels that create gives them. Where the registry is gone it is begun anew; "
		           "policies are then as the configuration has them, or as --rotate-every says.",
		.options = { OPTION_DRY_RUN, OPTION_PIN_SOURCE, OPTION_ROTATE_EVERY, END },
		.run = command_rebuild,
	}, {
		.name = "authority", .operands = "show|rotate|pin|purge [FINGERPRINT]", .least = 1,
		.most = 2,
		.summary = "show or replace the key that signs the registry",
		.details = "show: the one that is pinned here, and the one that signs now. rotate: a new one "
		           "is made in the KMS; the old one signs the hand-over to it, and nothing after "
		           "that. Hosts that pin the old one follow by themselves. pin: pins the one that "
		           "signs now on this host, if it is the one of FINGERPRINT where that is given. "
		           "purge: removes former ones from the KMS.",
		.options = { OPTION_PIN_SOURCE, OPTION_YES, END },
		.run = command_authority,
	}, {
		.name = "status", .operands = "",
		.summary = "show how a token does, in short",
		.details = "Asks the KMS whether it is there, and reads the registry.",
		.options = { END },
		.run = command_status,
	}, {
		.name = "verify", .operands = "",
		.summary = "check everything, and say what is wrong",
		.details = "Configuration, files, registry (each signature and the chain), KMS, authority, "
		           "keys. A line for each: ok, warn, FAIL, or skip where it can't be checked. "
		           "Exits with 7 when something FAILs.",
		.options = { OPTION_ACCEPT_RESTORED, OPTION_PIN_SOURCE, END },
		.run = command_verify,
	}, {
		.name = "help", .operands = "[COMMAND]", .most = 1,
		.summary = "explain a command",
		.details = "The same as COMMAND --help.",
		.options = { END },
		.run = command_help,
	},
};

static const struct option_row rows[OPTION_COUNT] = {
	[OPTION_ACCEPT_RESTORED] = { "accept-restored", 'X', NULL,
	        "an older registry was put back on purpose", false },
	[OPTION_ACTIVATE_AT] = { "activate-at", 'T', "TIME",
	        "when it becomes the current one: 2027-01-01 or 2027-01-01T06:00:00Z", false },
	[OPTION_ALGORITHM] = { "algorithm", 'a', "ALGORITHM",
	        "rsa-2048, rsa-3072, rsa-4096, p-256, p-384, p-521, ed25519 or x25519", false },
	[OPTION_ALL] = { "all", 'A', NULL, "not only the current versions; adopt: all pairs", false },
	[OPTION_ANEW] = { "anew", 'N', NULL,
	        "begin beside keys that the KMS holds: another registry's", false },
	[OPTION_CONFIG] = { "config", 'c', "FILE", "the configuration", true },
	[OPTION_CSR] = { "csr", 'q', NULL, "a certificate request (PKCS#10)", false },
	[OPTION_DAYS] = { "days", 'd', "NUMBER", "how long the certificate is valid (default: 365)",
	        false },
	[OPTION_DNS] = { "dns", 'D', "HOST", "a DNS name that it is for", false },
	[OPTION_DRY_RUN] = { "dry-run", 'n', NULL, "only say what would be done", false },
	[OPTION_EXPORT] = { "export", 'e', NULL, "write the certificate that is kept", false },
	[OPTION_FORMAT] = { "format", 'f', "FORMAT", "pem (default), der or, of public keys, ssh", false },
	[OPTION_HELP] = { "help", 'h', NULL, "explain the command", true },
	[OPTION_ID] = { "id", 'i', "HEX", "the version's CKA_ID, in hexadecimal", false },
	[OPTION_IMPORT] = { "import", 'm', "FILE", "keep the certificate in FILE (-: stdin), PEM or DER",
	        false },
	[OPTION_IN] = { "in", 'I', "FILE", "read from FILE (default: stdin)", false },
	[OPTION_IP] = { "ip", 'P', "ADDRESS", "an IP address that it is for", false },
	[OPTION_JSON] = { "json", 'j', NULL, "for programs: print JSON", true },
	[OPTION_LABEL] = { "label", 'l', "LABEL", "the pair with this CKA_LABEL in the KMS", false },
	[OPTION_OUT] = { "out", 'o', "FILE", "write to FILE (default: stdout)", false },
	[OPTION_PIN_SOURCE] = { "pin-source", 'p', "FILE",
	        "read the PIN of the KMS from FILE (default: ask)", false },
	[OPTION_PSS] = { "pss", 'k', NULL, "RSA: sign with RSASSA-PSS", false },
	[OPTION_REASON] = { "reason", 'w', "TEXT", "why; kept with the version", false },
	[OPTION_ROTATE_EVERY] = { "rotate-every", 'r', "DURATION",
	        "how often to rotate: 90d, 52w, never ... (default: configuration)", false },
	[OPTION_SET] = { "set", 's', "SETTING",
	        "a setting of the key's policy: overlap=1d, keep-versions=5 ...", false },
	[OPTION_SUBJECT] = { "subject", 'S', "NAME",
	        "/C=DE/O=Example/CN=web, or just a common name (default: the key's)", false },
	[OPTION_TOKEN] = { "token", 't', "NAME", "the token, when there are several", true },
	[OPTION_USAGE] = { "usage", 'u', "LIST",
	        "of decrypt, sign, unwrap, derive; with commas between", false },
	[OPTION_VERSION] = { "version", 'V', NULL, "print the version of p11-kms", true },
	[OPTION_YES] = { "yes", 'y', NULL, "do not ask", false },
};

const struct command *
command_at(size_t index)
{
	return index < sizeof commands / sizeof commands[0] ? &commands[index] : NULL;
}

const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

const struct option_row *
option_row(enum option_id option)
{
	return &rows[option];
}

bool
command_takes(const struct command *command, enum option_id option)
{
	if (rows[option].everywhere)
		return true;
	for (size_t i = 0; command->options[i] != END; i++) {
		if (command->options[i] == option)
			return true;
	}
	return false;
}
