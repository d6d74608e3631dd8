/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef P11_KMS_SYSCONFDIR
#define P11_KMS_SYSCONFDIR "/etc"
#endif

#define HSM "pkcs11:token=hsm?module-path=/usr/lib/softhsm/libsofthsm2.so"
#define PATHS "registry = /r.db\nauthority = /a.pem\n"
#define DAY INT64_C(86400)

static char path[512];

static void
make(const char *content, size_t size)
{
	int fd;

	snprintf(path, sizeof path, "%s", unit_path("p11-kms.conf"));
	(void)unlink(path);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, size), (ssize_t)size);
	close(fd);
}

static struct config *
read_good(const char *content)
{
	struct config *config = NULL;
	char *why = NULL;

	make(content, strlen(content));
	ck_assert_msg(config_read(path, &config, &why), "%s: %s", content, why);
	ck_assert_str_eq(config->path, path);
	return config;
}

static void
assert_good(const char *content)
{
	struct config *config = read_good(content);

	config_free(&config);
	ck_assert_ptr_null(config);
}

/* what begins with the line. */
static void
assert_bad_bytes(const char *content, size_t size, const char *what)
{
	struct config *config = NULL;
	char *why = NULL;
	char expected[1024];

	make(content, size);
	ck_assert_msg(!config_read(path, &config, &why), "%s", content);
	ck_assert_ptr_null(config);
	snprintf(expected, sizeof expected, "%s:%s", path, what);
	ck_assert_str_eq(why, expected);
	free(why);
}

static void
assert_bad(const char *content, const char *what)
{
	assert_bad_bytes(content, strlen(content), what);
}

START_TEST(defaults_are_set)
{
	struct config *config = read_good("[token t]\n" PATHS);
	const struct config_token *token = config_token_find(config, NULL);

	ck_assert_int_eq(config->log, LOG_LEVEL_WARNING);
	ck_assert(!config->log_to_syslog);
	ck_assert_uint_eq(config->token_count, 1);
	ck_assert_str_eq(token->name, "t");
	ck_assert_uint_eq(token->line, 1);
	ck_assert_ptr_null(token->kms);
	ck_assert_ptr_null(token->pin_source);
	ck_assert_str_eq(token->registry, "/r.db");
	ck_assert_str_eq(token->authority, "/a.pem");
	ck_assert_str_eq(token->algorithm, "rsa-3072");
	ck_assert_int_eq(token->rotate_every, 90 * DAY);
	ck_assert_int_eq(token->destroy_after, 30 * DAY);
	ck_assert_int_eq(token->expires_after, 7 * DAY);
	ck_assert_int_eq(token->deadline_ms, 5000);
	ck_assert(token->keep_pin);
	ck_assert(!token->legacy_decrypt);
	ck_assert(!token->self_signed);
	ck_assert(!token->refuse_same_label);
	config_free(&config);
	config_free(&config);
}
END_TEST

START_TEST(every_key_is_read)
{
	struct config *config = read_good(
		"# a comment\n"
		"log = debug\n"
		"log-to = syslog   ; another\n"
		"\n"
		"[token one]\n"
		PATHS
		"[token two words]  # the second\n"
		"kms = " HSM "\n"
		"pin-source = /etc/pin\n"
		"\tregistry=/var/lib/two.db\n"
		"  authority  =  /etc/two authority.pem  \n"
		"algorithm = p-384\n"
		"rotate-every = never\n"
		"destroy-after = 0s\n"
		"expires-after = 1m\n"
		"deadline = 100ms\n"
		"keep-pin = no\n"
		"legacy-decrypt = yes\n"
		"certificates = self-signed\n"
		"same-label = refuse\n");
	const struct config_token *token = config_token_find(config, "two words");

	ck_assert_int_eq(config->log, LOG_LEVEL_DEBUG);
	ck_assert(config->log_to_syslog);
	ck_assert_uint_eq(config->token_count, 2);
	ck_assert_ptr_nonnull(token);
	ck_assert_uint_eq(token->line, 8);
	ck_assert_str_eq(token->kms, HSM);
	ck_assert_str_eq(token->pin_source, "/etc/pin");
	ck_assert_str_eq(token->registry, "/var/lib/two.db");
	ck_assert_str_eq(token->authority, "/etc/two authority.pem");
	ck_assert_str_eq(token->algorithm, "p-384");
	ck_assert_int_eq(token->rotate_every, 0);
	ck_assert_int_eq(token->destroy_after, 0);
	ck_assert_int_eq(token->expires_after, 60);
	ck_assert_int_eq(token->deadline_ms, 100);
	ck_assert(!token->keep_pin);
	ck_assert(token->legacy_decrypt);
	ck_assert(token->self_signed);
	ck_assert(token->refuse_same_label);

	ck_assert_str_eq(config_token_find(config, "one")->name, "one");
	ck_assert_ptr_null(config_token_find(config, "three"));
	ck_assert_ptr_null(config_token_find(config, NULL)); /* which of the two? */
	config_free(&config);
}
END_TEST

START_TEST(no_token_is_allowed)
{
	struct config *config = read_good("log = error\nlog-to = stderr\n");

	ck_assert_uint_eq(config->token_count, 0);
	ck_assert_ptr_null(config_token_find(config, NULL));
	ck_assert_ptr_null(config_token_find(config, "t"));
	config_free(&config);
	assert_good("");
	assert_good("\n");
	assert_good("# nothing");
}
END_TEST

START_TEST(editors_differ)
{
	struct config *config;

	config = read_good("\xef\xbb\xbf[token t]\r\nregistry = /r.db\r\nauthority = /a.pem");
	ck_assert_str_eq(config->tokens[0].registry, "/r.db");
	ck_assert_str_eq(config->tokens[0].authority, "/a.pem");
	config_free(&config);
	config = read_good("  [token t]\n\n \t\n  registry = /r.db\n      authority = /a.pem\n ");
	ck_assert_str_eq(config->tokens[0].authority, "/a.pem");
	config_free(&config);
}
END_TEST

/* inih itself ends at 200 bytes. */
START_TEST(lines_may_be_long)
{
	char content[4096], folder[2048];

	for (size_t size = 100; size < 1900; size++) {
		struct config *config;

		/* Something to cut at everywhere, but it must not be cut before ; # or a space. */
		for (size_t i = 0; i < size; i++)
			folder[i] = "abc;#=[ x"[i % 9];
		folder[size] = '\0';
		memcpy(folder, "/", 1);
		for (char *at = strstr(folder, " ;"); at != NULL; at = strstr(at, " ;"))
			*at = '_';
		folder[size - 1] = 'z';
		snprintf(content, sizeof content, "[token t]\nauthority = /a\nregistry = %s\n", folder);
		config = read_good(content);
		ck_assert_str_eq(config->tokens[0].registry, folder);
		config_free(&config);
	}

	memset(folder, 'x', sizeof folder - 1);
	folder[sizeof folder - 1] = '\0';
	snprintf(content, sizeof content, "[token t]\nkms = " HSM "\nregistry = /%s\n", folder);
	assert_bad(content, "3: is too long; shorten it to 2000 bytes");
	snprintf(content, sizeof content, "[token t]\n# %.1900s\n" PATHS "# %s = x", folder, folder);
	assert_good(content); /* comments have no limit */

	/* A long key, a long section, a comment or a hole that can't be cut. */
	snprintf(content, sizeof content, "[token t]\n" PATHS "%.300s = x\n", folder);
	assert_bad(content, "4: is too long; shorten it, or move its comment");
	snprintf(content, sizeof content, "[token t]\n" PATHS "%.100s = x\n", folder);
	assert_bad(content, "4: is too long; shorten it");
	snprintf(content, sizeof content, "[token t]\n" PATHS "[token %.300s]\nlog = x\n", folder);
	assert_bad(content, "4: is too long; shorten it, or move its comment");
	snprintf(content, sizeof content, "[token t]\nregistry = /%.190s ; and so on\n", folder);
	assert_bad(content, "2: is too long; shorten it, or move its comment");
	snprintf(content, sizeof content, "[token t]\nregistry = /%300s\n", "x");
	assert_bad(content, "2: is too long; shorten it, or move its comment");
	snprintf(content, sizeof content, "[token t]\n" PATHS "%.300s\n", folder);
	assert_bad(content, "4: is too long; shorten it, or move its comment");
}
END_TEST

START_TEST(lines_that_are_no_settings_are_refused)
{
	assert_bad("[token t]\n" PATHS "nonsense\n",
	           "4: is not a setting; write KEY = VALUE, or # before a comment");
	assert_bad("[token t]\n" PATHS "nonsense\n[token u]\n" PATHS,
	           "4: is not a setting; write KEY = VALUE, or # before a comment");
	assert_bad("log = info\n  more\n", "2: is not a setting; write KEY = VALUE, or # before a comment");
	assert_bad("= x\n", "1: this setting is not known outside of a section; put it below "
	                    "[token NAME], or see p11-kms.conf(5)");
	assert_bad_bytes("log = info\n\0", 12, "2: has a control character; remove it");
	assert_bad_bytes("lo\0g = info\n", 12, "1: has a control character; remove it");
	assert_bad("log = info\x01\n", "1: has a control character; remove it");
	assert_bad("# \x1b[31m\n", "1: has a control character; remove it");
	assert_bad("log = info\rlog-to = stderr\n", "1: has a control character; remove it");
	assert_bad("log = in\x7f""fo\n", "1: has a control character; remove it");
}
END_TEST

START_TEST(settings_outside_of_sections)
{
	assert_bad("registry = /r\n", "1: this setting is not known outside of a section; put it below "
	                              "[token NAME], or see p11-kms.conf(5)");
	assert_bad("log = loud\n", "1: log is not a level; write error, warning, info or debug");
	assert_bad("log =\n", "1: log is not a level; write error, warning, info or debug");
	assert_bad("log-to = file\n", "1: log-to is not known; write stderr or syslog");
	assert_bad("log = info\nlog = info\n", "2: this setting was given before; remove one of them");
	assert_bad("log-to = stderr\n\nlog-to = syslog\n",
	           "3: this setting was given before; remove one of them");
	assert_bad("[token t]\n" PATHS "log = info\n",
	           "4: log is not a setting of a token; see p11-kms.conf(5)");
}
END_TEST

START_TEST(sections_are_tokens)
{
	assert_bad("[tokens t]\n" PATHS, "2: the section above is not known; write [token NAME]");
	assert_bad("[token]\n" PATHS, "2: the section above is not known; write [token NAME]");
	assert_bad("[]\n" PATHS, "2: the section above is not known; write [token NAME]");
	assert_bad("[token t\n" PATHS, "1: is not a section; write [token NAME]");
	assert_bad("[token t] registry = /r\n", "1: is not a section; write [token NAME]");
	assert_bad("[token a]b]\n" PATHS, "1: is not a section; write [token NAME]");
	assert_bad("[token t]\n", "1: section is empty; add its settings, or remove it");
	assert_bad("[token t]\n[token u]\n" PATHS,
	           "1: section is empty; add its settings, or remove it");
	assert_bad("[other]\n", "1: section is empty; add its settings, or remove it");
	assert_bad("[token t]\n" PATHS "[token t]\n" PATHS,
	           "5: there is a token of this name already; choose another name");
	assert_bad("[token t]\nregistry = /r\n[token t]\nauthority = /a\n",
	           "4: there is a token of this name already; choose another name");
}
END_TEST

START_TEST(names_are_labels)
{
	assert_good("[token 0123456789abcdef0123456789abcdef]\n" PATHS);
	assert_good("[token gr\xc3\xbc\xc3\x9f]\n" PATHS);
	assert_bad("[token 0123456789abcdef0123456789abcdef0]\n" PATHS,
	           "2: a token's name has 1 to 32 bytes; choose another name");
	/* Past what inih keeps of a section's name. */
	assert_bad("[token 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef]\n" PATHS,
	           "2: a token's name has 1 to 32 bytes; choose another name");
	assert_bad("[token ]\n" PATHS, "2: a token's name has 1 to 32 bytes; choose another name");
	assert_bad("[token  t]\n" PATHS,
	           "2: a token's name can't begin or end with a space; remove it");
	assert_bad("[token t ]\n" PATHS,
	           "2: a token's name can't begin or end with a space; remove it");
	assert_bad("[token \xff]\n" PATHS,
	           "2: a token's name is UTF-8 without control characters; choose another name");
	assert_bad("[token a\xc2\x9b]\n" PATHS,
	           "2: a token's name is UTF-8 without control characters; choose another name");
	assert_bad("[token a\tb]\n" PATHS,
	           "2: a token's name is UTF-8 without control characters; choose another name");
}
END_TEST

/* One more setting in a token that is otherwise whole. */
static void
assert_bad_setting(const char *setting, const char *what)
{
	char content[1024], expected[512];

	snprintf(content, sizeof content, "[token t]\n" PATHS "%s\n", setting);
	snprintf(expected, sizeof expected, "4: %s", what);
	assert_bad(content, expected);
}

static void
assert_good_setting(const char *setting)
{
	char content[1024];

	snprintf(content, sizeof content, "[token t]\n" PATHS "%s\n", setting);
	assert_good(content);
}

START_TEST(keys_of_a_token)
{
	assert_bad_setting("unknown = 1", "unknown is not a setting of a token; see p11-kms.conf(5)");
	assert_bad_setting("Algorithm = p-256",
	                   "Algorithm is not a setting of a token; see p11-kms.conf(5)");
	assert_bad_setting("\xff = 1", "this is not a setting of a token; see p11-kms.conf(5)");
	assert_bad_setting("registry = /r", "registry was given before; remove one of them");
	assert_bad("[token t]\nkeep-pin = no\nkeep-pin = no\n",
	           "3: keep-pin was given before; remove one of them");
	/* A second token starts afresh. */
	assert_good("[token t]\n" PATHS "[token u]\n" PATHS);
}
END_TEST

START_TEST(paths_are_absolute_and_needed)
{
	assert_bad("[token t]\nregistry = r.db\n",
	           "2: registry is not an absolute path; begin it with /");
	assert_bad("[token t]\nregistry = /r\nauthority =\n",
	           "3: authority is not an absolute path; begin it with /");
	assert_bad("\n[token t]\nauthority = /a\n",
	           "2: token t has no registry; add registry = /PATH");
	assert_bad("\n\n[token t]\nregistry = /r\n",
	           "3: token t has no authority; add authority = /PATH");
	assert_bad("[token t]\npin-source = /p\n" PATHS,
	           "1: token t has no kms for its pin-source; add kms, or remove pin-source");
}
END_TEST

START_TEST(kms_is_a_token_uri)
{
	assert_good_setting("kms = pkcs11:?module-path=/m.so");
	assert_good_setting("kms = pkcs11:token=a%20b;serial=1;manufacturer=m;model=x?module-path=/m.so");
	assert_bad_setting("kms = /usr/lib/softhsm/libsofthsm2.so",
	                   "kms is neither a pkcs11: nor a kmip: URI; write "
	                   "pkcs11:token=LABEL?module-path=/PATH or kmip://HOST:PORT");
	assert_bad_setting("kms =",
	                   "kms is neither a pkcs11: nor a kmip: URI; write "
	                   "pkcs11:token=LABEL?module-path=/PATH or kmip://HOST:PORT");
	assert_bad_setting("kms = pkcs11:token=%zz?module-path=/m.so",
	                   "kms is not a well-formed pkcs11: URI; see RFC 7512");
	assert_bad_setting("kms = pkcs11:token",
	                   "kms is not a well-formed pkcs11: URI; see RFC 7512");
	assert_bad_setting("kms = pkcs11:colour=red?module-path=/m.so",
	                   "kms has an attribute that is not known; correct it, or remove it");
	assert_bad_setting("kms = pkcs11:token=t;object=o?module-path=/m.so",
	                   "kms names an object; remove its id, object and type, so that it names a "
	                   "token");
	assert_bad_setting("kms = pkcs11:token=t",
	                   "kms has no module-path; add ?module-path=/PATH of the HSM's PKCS#11 module");
	assert_bad_setting("kms = pkcs11:token=t?module-path=m.so",
	                   "kms has a module-path that is not absolute; begin the path with /");
}
END_TEST

#define KMIP "kmip://kms1.example:5696,[2001:db8::1]"
#define TLS "tls-ca = /ca.pem\ntls-certificate = /c.pem\ntls-key = /k.pem\n"

START_TEST(kms_is_a_list_of_kmip_servers)
{
	struct config *config = read_good(
		"[token t]\n" PATHS "kms = " KMIP "\n"
		"tls-ca = /etc/ca.pem\n"
		"tls-certificate = /etc/client.pem\n"
		"tls-key = /etc/client.key\n"
		"tls-crl = /etc/crl.pem\n"
		"kmip-username = J\xc3\xb6rg\n"
		"kmip-password-source = file:/etc/pass%20word\n");
	const struct config_token *token = &config->tokens[0];

	ck_assert(config_token_is_kmip(token));
	ck_assert_str_eq(token->kms, KMIP);
	ck_assert_str_eq(token->tls_ca, "/etc/ca.pem");
	ck_assert_str_eq(token->tls_certificate, "/etc/client.pem");
	ck_assert_str_eq(token->tls_key, "/etc/client.key");
	ck_assert_str_eq(token->tls_crl, "/etc/crl.pem");
	ck_assert_str_eq(token->kmip_username, "J\xc3\xb6rg");
	ck_assert_str_eq(token->kmip_password_source, "/etc/pass word");
	config_free(&config);

	config = read_good("[token t]\n" PATHS "kms = " HSM "\n");
	ck_assert(!config_token_is_kmip(&config->tokens[0]));
	ck_assert_ptr_null(config->tokens[0].tls_ca);
	config_free(&config);
	config = read_good("[token t]\n" PATHS);
	ck_assert(!config_token_is_kmip(&config->tokens[0]));
	config_free(&config);

	assert_bad_setting("kms = kmip://kms1.example/path\n" TLS,
	                   "kms has a path; name hosts and ports only");
	assert_bad_setting("kms = kmip://user:4711@kms1.example\n" TLS,
	                   "kms has a user; give a user's name as a setting of its own");
	assert_bad_setting("kms = kmip://kms1.example,\n" TLS,
	                   "kms has something that is neither a host's name nor an IP address");
	assert_bad_setting("tls-ca = ca.pem", "tls-ca is not an absolute path; begin it with /");
	assert_bad_setting("kmip-username =", "kmip-username is empty or not UTF-8; correct it");
	assert_bad_setting("kmip-password-source = 4711",
	                   "kmip-password-source is neither an absolute path nor a file: URI; put the "
	                   "PIN into a file and name the file");
}
END_TEST

START_TEST(kmip_servers_need_certificates)
{
	static const char *const alone[] = {
		TLS, "tls-crl = /crl\n", "kmip-username = u\n", "kmip-password-source = /p\n",
		"kms = " HSM "\n" TLS,
	};

	assert_bad("[token t]\n" PATHS "kms = " KMIP "\ntls-certificate = /c\ntls-key = /k\n",
	           "1: token t has no tls-ca; add tls-ca = /PATH of the certificate of the KMIP "
	           "server's CA");
	assert_bad("[token t]\n" PATHS "kms = " KMIP "\ntls-ca = /ca\ntls-key = /k\n",
	           "1: token t has no tls-certificate; add tls-certificate = /PATH of the client's "
	           "certificate");
	assert_bad("[token t]\n" PATHS "kms = " KMIP "\ntls-ca = /ca\ntls-certificate = /c\n",
	           "1: token t has no tls-key; add tls-key = /PATH of the client's private key");
	assert_bad("[token t]\n" PATHS "kms = " KMIP "\n" TLS "kmip-password-source = /p\n",
	           "1: token t has no kmip-username for its kmip-password-source; add one, or remove "
	           "the other");
	for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
		char content[512];

		snprintf(content, sizeof content, "[token t]\n" PATHS "%s", alone[i]);
		assert_bad(content, "1: token t has no kmip: URI as its kms; add one, or remove its "
		                    "tls- and kmip- settings");
	}
}
END_TEST

START_TEST(pins_stay_out_of_the_file)
{
	assert_bad_setting("kms = " HSM "&pin-value=4711",
	                   "kms has a pin-value; put the PIN into a file and name it with pin-source "
	                   "= PATH");
	assert_bad_setting("kms = " HSM "&pin-source=/etc/pin",
	                   "kms has a pin-source; give it as a setting of its own, pin-source = PATH");
	assert_bad_setting("kms = pkcs11:pin-value=4711?module-path=/m.so",
	                   "kms has a pin-value; put the PIN into a file and name it with pin-source "
	                   "= PATH");
	assert_bad_setting("pin-source = 4711",
	                   "pin-source is neither an absolute path nor a file: URI; put the PIN into "
	                   "a file and name the file");
}
END_TEST

static void
assert_pin_source(const char *given, const char *expected)
{
	char content[1024];
	struct config *config;

	snprintf(content, sizeof content, "[token t]\n" PATHS "kms = " HSM "\npin-source = %s\n",
	         given);
	config = read_good(content);
	ck_assert_str_eq(config->tokens[0].pin_source, expected);
	config_free(&config);
}

START_TEST(pin_source_is_a_path_or_a_file_uri)
{
	static const char *const bad[] = {
		"file:", "file:etc/pin", "file://host/etc/pin", "file://", "file:/etc/%00pin",
		"file:/etc/pin%0a", "file:/etc/%zz", "file:/etc/pin&pin-value=1", "file:/etc/%ff",
	};

	assert_pin_source("/etc/pin", "/etc/pin");
	assert_pin_source("file:/etc/pin", "/etc/pin");
	assert_pin_source("file:///etc/pin", "/etc/pin");
	assert_pin_source("file:/etc/my%20pin%3b", "/etc/my pin;");
	assert_pin_source("/etc/my%20pin", "/etc/my%20pin");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char setting[128];

		snprintf(setting, sizeof setting, "pin-source = %s", bad[i]);
		assert_bad_setting(setting,
		                   "pin-source is not a URI of a local file; write file:/PATH");
	}
	assert_bad_setting("pin-source = |/bin/askpin",
	                   "pin-source is neither an absolute path nor a file: URI; put the PIN into "
	                   "a file and name the file");
}
END_TEST

START_TEST(choices_are_literal)
{
	assert_good_setting("algorithm = ed25519\nkeep-pin = yes\nlegacy-decrypt = no\n"
	                    "same-label = rotate");
	assert_bad_setting("algorithm = rsa-1024",
	                   "algorithm is not known; choose one of rsa-2048, rsa-3072, rsa-4096, p-256, "
	                   "p-384, p-521, ed25519, x25519");
	assert_bad_setting("keep-pin = true", "keep-pin is neither no nor yes; write one of them");
	assert_bad_setting("legacy-decrypt = YES",
	                   "legacy-decrypt is neither no nor yes; write one of them");
	assert_good_setting("certificates = stored");
	assert_bad_setting("certificates = yes",
	                   "certificates is neither stored nor self-signed; write one of them");
	assert_bad_setting("same-label =",
	                   "same-label is neither rotate nor refuse; write one of them");
}
END_TEST

#define NO_DURATION " is not a duration; write a whole number and s, m, h, d, w or y"
#define TOO_SHORT " is too short; the shortest is "
#define TOO_LONG " is too long; the longest is "
#define NOT_NEVER " can't be never; write a duration"

START_TEST(durations_have_bounds)
{
	assert_good_setting("rotate-every = 1s\ndestroy-after = 1s\nexpires-after = 60s\n"
	                    "deadline = 10m");
	assert_good_setting("rotate-every = 100y\ndestroy-after = 100y\nexpires-after = 100y");
	assert_bad_setting("rotate-every = 0s", "rotate-every" TOO_SHORT "1s, or never");
	assert_bad_setting("rotate-every = 500ms", "rotate-every" NO_DURATION);
	assert_bad_setting("rotate-every = 90", "rotate-every" NO_DURATION);
	assert_bad_setting("rotate-every = 101y", "rotate-every" NO_DURATION);
	assert_bad_setting("destroy-after = never", "destroy-after" NOT_NEVER);
	assert_bad_setting("destroy-after = -1s", "destroy-after" NO_DURATION);
	assert_bad_setting("expires-after = 59s", "expires-after" TOO_SHORT "1m");
	assert_bad_setting("expires-after = never", "expires-after" NOT_NEVER);
	assert_bad_setting("deadline = 99ms", "deadline" TOO_SHORT "100ms");
	assert_bad_setting("deadline = 600001ms", "deadline" TOO_LONG "600000ms");
	assert_bad_setting("deadline = never", "deadline" NOT_NEVER);
	assert_bad_setting("deadline =", "deadline" NO_DURATION);
}
END_TEST

START_TEST(untrustworthy_files_are_refused)
{
	struct config *config = NULL;
	char *why = NULL;
	char expected[1200];

	make("", 0);
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert(!config_read(path, &config, &why));
	snprintf(expected, sizeof expected,
	         "%s is writable by others (mode 0666); run: chmod 0644 %s", path, path);
	ck_assert_str_eq(why, expected);
	free(why);
	why = NULL;
	(void)unlink(path);
	ck_assert(!config_read(path, &config, &why));
	ck_assert_ptr_nonnull(strstr(why, "No such file"));
	free(why);
	ck_assert_ptr_null(config);
}
END_TEST

START_TEST(large_files_are_refused)
{
	size_t size = 256 * 1024 + 1;
	char *content = malloc(size);
	struct config *config = NULL;
	char *why = NULL;

	ck_assert_ptr_nonnull(content);
	memset(content, '\n', size);
	make(content, size - 1);
	ck_assert(config_read(path, &config, &why));
	config_free(&config);
	make(content, size);
	ck_assert(!config_read(path, &config, &why));
	ck_assert_ptr_nonnull(strstr(why, "is larger than 262144 bytes"));
	free(why);
	free(content);
}
END_TEST

/* Cut anywhere, and with any byte replaced by those that parsers trip over. */
START_TEST(damage_is_survived)
{
	static const char good[] =
		"\xef\xbb\xbflog = info\r\n[token t]\n" PATHS "kms = " HSM "\n"
		"pin-source = file:/etc/p%20n\ndeadline = 5s\n; end\n";
	static const char bytes[] = { '\0', '\n', '\r', ' ', '[', ']', '=', ';', '%', '\xff', '\x80' };
	char content[sizeof good];

	for (size_t at = 0; at < sizeof good - 1; at++) {
		struct config *config = NULL;
		char *why = NULL;

		make(good, at);
		if (!config_read(path, &config, &why))
			ck_assert_ptr_nonnull(strstr(why, "; "));
		free(why);
		config_free(&config);
		for (size_t i = 0; i < sizeof bytes; i++) {
			why = NULL;
			memcpy(content, good, sizeof good);
			content[at] = bytes[i];
			make(content, sizeof good - 1);
			if (!config_read(path, &config, &why))
				ck_assert_ptr_nonnull(strstr(why, "; "));
			free(why);
			config_free(&config);
		}
	}
}
END_TEST

static void
assert_path(const char *expected)
{
	char *found = config_path();

	if (expected == NULL)
		ck_assert_msg(found == NULL || strcmp(found, P11_KMS_SYSCONFDIR
		                                      "/p11-kms/p11-kms.conf") == 0, "%s", found);
	else
		ck_assert_str_eq(found, expected);
	free(found);
}

START_TEST(the_path_is_found)
{
	char home[512], xdg[512], below_home[600], below_xdg[600];

	snprintf(home, sizeof home, "%s", unit_path("home"));
	snprintf(xdg, sizeof xdg, "%s", unit_path("xdg"));
	snprintf(below_home, sizeof below_home, "%s/.config/p11-kms/p11-kms.conf", home);
	snprintf(below_xdg, sizeof below_xdg, "%s/p11-kms/p11-kms.conf", xdg);
	ck_assert_int_eq(mkdir(home, 0700), 0);
	ck_assert_int_eq(mkdir(xdg, 0700), 0);
	unsetenv("P11_KMS_CONFIG");
	setenv("XDG_CONFIG_HOME", xdg, 1);
	setenv("HOME", home, 1);
	assert_path(NULL);

	ck_assert_int_eq(mkdir(unit_path("home/.config"), 0700), 0);
	ck_assert_int_eq(mkdir(unit_path("home/.config/p11-kms"), 0700), 0);
	ck_assert_int_eq(mkdir(unit_path("xdg/p11-kms"), 0700), 0);
	close(open(below_home, O_CREAT | O_WRONLY, 0600));
	assert_path(NULL); /* XDG_CONFIG_HOME stands in for ~/.config */
	unsetenv("XDG_CONFIG_HOME");
	assert_path(below_home);
	setenv("XDG_CONFIG_HOME", "", 1);
	assert_path(below_home);
	setenv("XDG_CONFIG_HOME", "relative", 1);
	assert_path(below_home);
	setenv("XDG_CONFIG_HOME", xdg, 1);
	close(open(below_xdg, O_CREAT | O_WRONLY, 0600));
	assert_path(below_xdg);

	setenv("P11_KMS_CONFIG", "/no/such/file", 1); /* named is named */
	assert_path("/no/such/file");
	setenv("P11_KMS_CONFIG", "", 1);
	assert_path(below_xdg);
	unsetenv("P11_KMS_CONFIG");
	unsetenv("XDG_CONFIG_HOME");
	setenv("HOME", "relative", 1);
	assert_path(NULL);
	unsetenv("HOME");
	assert_path(NULL);
}
END_TEST

/* The example that is installed is one that is read. */
START_TEST(the_example_is_good)
{
	const char *source = getenv("srcdir");
	char example[1024], content[16384];
	struct config *config;
	FILE *file;
	size_t size;

	if (source == NULL)
		return;
	snprintf(example, sizeof example, "%s/doc/p11-kms.conf.example", source);
	file = fopen(example, "r");
	ck_assert_msg(file != NULL, "%s", example);
	size = fread(content, 1, sizeof content - 1, file);
	fclose(file);
	content[size] = '\0';
	config = read_good(content);
	ck_assert_uint_ge(config->token_count, 1);
	config_free(&config);
}
END_TEST

static TCase *
whole_files(void)
{
	TCase *tcase = tcase_create("file");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, defaults_are_set);
	tcase_add_test(tcase, every_key_is_read);
	tcase_add_test(tcase, no_token_is_allowed);
	tcase_add_test(tcase, editors_differ);
	tcase_add_test(tcase, lines_may_be_long);
	tcase_add_test(tcase, untrustworthy_files_are_refused);
	tcase_add_test(tcase, large_files_are_refused);
	tcase_add_test(tcase, damage_is_survived);
	tcase_add_test(tcase, the_path_is_found);
	tcase_add_test(tcase, the_example_is_good);
	return tcase;
}

static TCase *
refusals(void)
{
	TCase *tcase = tcase_create("refusals");

	tcase_add_test(tcase, lines_that_are_no_settings_are_refused);
	tcase_add_test(tcase, settings_outside_of_sections);
	tcase_add_test(tcase, sections_are_tokens);
	tcase_add_test(tcase, names_are_labels);
	tcase_add_test(tcase, keys_of_a_token);
	tcase_add_test(tcase, paths_are_absolute_and_needed);
	tcase_add_test(tcase, kms_is_a_token_uri);
	tcase_add_test(tcase, kms_is_a_list_of_kmip_servers);
	tcase_add_test(tcase, kmip_servers_need_certificates);
	tcase_add_test(tcase, pins_stay_out_of_the_file);
	tcase_add_test(tcase, pin_source_is_a_path_or_a_file_uri);
	tcase_add_test(tcase, choices_are_literal);
	tcase_add_test(tcase, durations_have_bounds);
	return tcase;
}

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("config");

	suite_add_tcase(suite, whole_files());
	suite_add_tcase(suite, refusals());
	return suite;
}
