/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-version.h"
#include "command/module.h"
#include "command/pem.h"
#include "command/reference.h"
#include "lifecycle/certificate.h"
#include "mechanism/certificate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MODE 0644
#define FILE_MAX ((size_t)256 * 1024) /* what openssl writes around a certificate is much */
#define DAYS_DEFAULT 365
#define DAYS_MAX 36500
#define DAY INT64_C(86400)

struct request {
	struct certificate_wish wish;
	bool der;
};

static int
read_days(const char *text, struct certificate_wish *wish)
{
	long days = DAYS_DEFAULT;
	char *end = NULL;

	if (text != NULL) {
		errno = 0;
		days = strtol(text, &end, 10);
		if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || days < 1 ||
		    days > DAYS_MAX) {
			complain("%s: days are a whole number from 1 to %d", text, DAYS_MAX);
			return EXIT_USAGE;
		}
	}
	wish->from = clock_now();
	wish->until = wish->from + days * DAY;
	return EXIT_DONE;
}

/* Of --csr, --import and --export one; how a certificate is made is told only where one is. */
static int
check_way(const struct arguments *arguments)
{
	static const enum option_id ways[] = { OPTION_CSR, OPTION_IMPORT, OPTION_EXPORT };
	static const enum option_id makings[] = {
		OPTION_DAYS, OPTION_DNS, OPTION_IP, OPTION_PSS, OPTION_SUBJECT
	};
	const char *way = NULL;

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		if (arguments->options[ways[i]] == NULL)
			continue;
		if (way != NULL) {
			complain("--%s and --%s are not for one call", way, option_row(ways[i])->name);
			return EXIT_USAGE;
		}
		way = option_row(ways[i])->name;
	}
	for (size_t i = 0; i < sizeof makings / sizeof *makings; i++) {
		if (arguments->options[makings[i]] == NULL || way == NULL ||
		    (arguments->options[OPTION_CSR] != NULL && makings[i] != OPTION_DAYS))
			continue;
		complain("--%s says nothing with --%s; leave it out", option_row(makings[i])->name, way);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

static int
read_request(const struct arguments *arguments, struct request *request)
{
	const char *format = arguments->options[OPTION_FORMAT];
	int code = check_way(arguments);

	if (code != EXIT_DONE)
		return code;
	if (format != NULL && strcmp(format, "pem") != 0 && strcmp(format, "der") != 0) {
		complain("%s: the formats of certificates are pem and der", format);
		return EXIT_USAGE;
	}
	request->der = format != NULL && strcmp(format, "der") == 0;
	request->wish.request = arguments->options[OPTION_CSR] != NULL;
	request->wish.subject = arguments->options[OPTION_SUBJECT];
	request->wish.dns = arguments->dns.values;
	request->wish.dns_count = arguments->dns.count;
	request->wish.ip = arguments->ip.values;
	request->wish.ip_count = arguments->ip.count;
	return read_days(arguments->options[OPTION_DAYS], &request->wish);
}

static int
write_out(const struct arguments *arguments, const struct workspace *workspace,
          const struct request *request, const struct buffer *der)
{
	const char *label = request->wish.request ? "CERTIFICATE REQUEST" : "CERTIFICATE";
	struct buffer text = BUFFER_INIT;
	int code = EXIT_DONE;
	CK_RV rv;

	rv = request->der ? buffer_set(&text, der->data, der->size) : pem_write(label, der, &text);
	if (rv != CKR_OK)
		code = registry_failed(workspace, "write the certificate", rv);
	else if (!write_bytes(arguments->options[OPTION_OUT], text.data, text.size, FILE_MODE))
		code = EXIT_FAILED;
	buffer_clear(&text);
	return code;
}

static int
export(const struct arguments *arguments, const struct workspace *workspace,
       const struct version *version, const struct request *request)
{
	struct buffer der = BUFFER_INIT;
	int code;
	CK_RV rv = version_certificate(workspace->registry, version, &der);

	if (rv == CKR_OBJECT_HANDLE_INVALID) {
		complain("%s@%lld has no certificate that is kept; `p11-kms certificate %s@%lld --import "
		         "FILE` keeps one", version->name, (long long)version->number, version->name,
		         (long long)version->number);
		code = EXIT_NO_KEY;
	} else if (rv != CKR_OK) {
		code = registry_failed(workspace, "read the certificate", rv);
	} else {
		code = write_out(arguments, workspace, request, &der);
	}
	buffer_clear(&der);
	return code;
}

static int
make_failed(const struct workspace *workspace, const struct version *version, const char *why,
            CK_RV rv)
{
	switch (rv) {
	case CKR_ARGUMENTS_BAD:
		complain("%s", why != NULL ? why : "out of memory");
		return EXIT_USAGE;
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
		complain("%s does not sign: its usage is another, as `p11-kms show` tells; a certificate "
		         "needs a key that signs", version->name);
		return EXIT_FAILED;
	case CKR_MECHANISM_INVALID:
		complain("%s can't sign so: the KMS of token %s lacks the mechanism, or the key's policy "
		         "(`p11-kms policy %s`) forbids it, or --pss is for RSA only", version->name,
		         workspace->token->name, version->name);
		return EXIT_FAILED;
	default:
		return change_failed(workspace, "make the certificate", rv);
	}
}

static int
make(const struct arguments *arguments, const struct workspace *workspace,
     const struct version *version, const struct request *request)
{
	struct buffer der = BUFFER_INIT;
	char *why = NULL;
	int code;
	CK_RV rv;

	if (!version_protects(version, clock_now())) {
		complain("%s@%lld is %s, and signs nothing any more; `p11-kms rotate %s` makes a version "
		         "that does", version->name, (long long)version->number,
		         version->state == STATE_ACTIVE ? "past its time"
		                                        : version_state_name(version->state),
		         version->name);
		return EXIT_FAILED;
	}
	rv = version_certificate_make(workspace->lifecycle, version, &request->wish,
	                              arguments->options[OPTION_PSS] != NULL,
	                              deadline_in(workspace->token->deadline_ms), &der, &why);
	code = rv == CKR_OK ? write_out(arguments, workspace, request, &der)
	                    : make_failed(workspace, version, why, rv);
	free(why);
	buffer_clear(&der);
	return code;
}

static int
keep(const struct arguments *arguments, const struct workspace *workspace,
     const struct version *version, const struct buffer *der)
{
	json_t *json = NULL;
	CK_RV rv;

	rv = version_certificate_keep(workspace->lifecycle, version, der->data, der->size);
	if (rv == CKR_PUBLIC_KEY_INVALID) {
		complain("%s: is the certificate of another key than %s@%lld",
		         arguments->options[OPTION_IMPORT], version->name, (long long)version->number);
		return EXIT_FAILED;
	}
	if (rv == CKR_DATA_INVALID) {
		complain("%s: is too large a certificate for the registry",
		         arguments->options[OPTION_IMPORT]);
		return EXIT_FAILED;
	}
	if (rv != CKR_OK)
		return change_failed(workspace, "keep the certificate", rv);
	if (arguments->options[OPTION_JSON] == NULL) {
		say("kept with %s@%lld", version->name, (long long)version->number);
		return EXIT_DONE;
	}
	rv = version_json_read(workspace, version, &json);
	if (rv != CKR_OK)
		return registry_failed(workspace, "show the key", rv);
	return say_json(json) ? EXIT_DONE : EXIT_FAILED;
}

static int
import(const struct arguments *arguments, const struct workspace *workspace,
       const struct version *version)
{
	const char *path = arguments->options[OPTION_IMPORT];
	struct buffer der = BUFFER_INIT;
	struct secret *input = NULL;
	int code;
	CK_RV rv;

	if (!input_read(path, FILE_MAX, "a certificate", NULL, &input))
		return EXIT_FAILED;
	rv = certificate_decode(secret_bytes(input), secret_size(input), &der);
	if (rv == CKR_OK) {
		code = keep(arguments, workspace, version, &der);
	} else {
		complain(rv == CKR_DATA_LEN_RANGE
		                 ? "%s: has several certificates; leave only the key's own in it"
		                 : rv == CKR_HOST_MEMORY ? "%s: out of memory"
		                                         : "%s: is no X.509 certificate, in PEM or DER",
		         path);
		code = EXIT_FAILED;
	}
	buffer_clear(&der);
	secret_free(&input);
	return code;
}

int
command_certificate(const struct arguments *arguments)
{
	bool exports = arguments->options[OPTION_EXPORT] != NULL;
	struct request request = { .der = false };
	struct workspace workspace = { .token = NULL };
	struct version *version = NULL;
	int code;

	code = read_request(arguments, &request);
	if (code == EXIT_DONE)
		code = exports ? workspace_read(arguments, &workspace)
		               : workspace_change(arguments, &workspace);
	if (code == EXIT_DONE)
		code = reference_find(&workspace, arguments, REFERENCE_CURRENT, &version);
	if (code == EXIT_DONE &&
	    (version->state == STATE_DESTROY_PENDING || version->state == STATE_DESTROYED))
		code = version_gone(version);
	if (code != EXIT_DONE)
		goto out;
	if (exports)
		code = export(arguments, &workspace, version, &request);
	else if (arguments->options[OPTION_IMPORT] != NULL)
		code = import(arguments, &workspace, version);
	else
		code = make(arguments, &workspace, version, &request);
out:
	version_free(&version);
	workspace_close(&workspace);
	return code;
}
