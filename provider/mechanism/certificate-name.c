/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/certificate-name.h"

#include "base/openssl.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define COMMON_NAME_MAX 64 /* characters: ub-common-name of RFC 5280, appendix A */
#define DNS_MAX 253

static CK_RV
refuse(char **ret_why, char *why)
{
	*ret_why = why;
	return why != NULL ? CKR_ARGUMENTS_BAD : CKR_HOST_MEMORY;
}

static bool
add(X509_NAME *name, const char *type, const char *value, size_t size)
{
	return X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const unsigned char *)value,
	                                  (int)size, -1, 0) == 1;
}

/* Of a longer one the beginning. */
static size_t
common_name_size(const char *text)
{
	size_t size = strlen(text), at = 0;

	for (int i = 0; i < COMMON_NAME_MAX && at < size; i++) {
		size_t bytes = text_character(text + at, size - at);

		if (bytes == 0)
			break;
		at += bytes;
	}
	return at;
}

/* One "TYPE=VALUE", at *at; a backslash takes the next character as it is. */
static CK_RV
add_part(X509_NAME *name, const char **at, char *scratch, char **ret_why)
{
	const char *type = *at, *equals = strchr(type, '=');
	const char *text;
	size_t size = 0;
	char *kind;
	CK_RV rv = CKR_OK;

	if (equals == NULL || equals == type || memchr(type, '/', (size_t)(equals - type)) != NULL)
		return refuse(ret_why, text_format("the subject has something without a TYPE=VALUE; "
		                                   "write it like /C=DE/O=Example/CN=web"));
	for (text = equals + 1; *text != '\0' && *text != '/'; text++) {
		if (*text == '\\' && text[1] != '\0')
			text++;
		scratch[size++] = *text;
	}
	kind = strndup(type, (size_t)(equals - type));
	if (kind == NULL)
		return CKR_HOST_MEMORY;
	if (size == 0)
		rv = refuse(ret_why, text_format("the subject's %s is empty", kind));
	else if (!add(name, kind, scratch, size)) {
		(void)openssl_failure(CKR_ARGUMENTS_BAD);
		rv = refuse(ret_why, text_format("the subject's %s can't be: there is no such type "
		                                 "(C, ST, L, O, OU, CN, emailAddress ...), or the "
		                                 "value is too long for it, or not UTF-8", kind));
	}
	free(kind);
	*at = *text == '/' ? text + 1 : text;
	return rv;
}

static CK_RV
add_parts(X509_NAME *name, const char *subject, char **ret_why)
{
	char *scratch = malloc(strlen(subject) + 1);
	const char *at = subject + 1;
	CK_RV rv = CKR_OK;

	if (scratch == NULL)
		return CKR_HOST_MEMORY;
	if (*at == '\0')
		rv = refuse(ret_why, text_format("the subject is empty"));
	while (rv == CKR_OK && *at != '\0')
		rv = add_part(name, &at, scratch, ret_why);
	free(scratch);
	return rv;
}

static CK_RV
name_parse(const struct buffer *der, X509_NAME **ret_name, char **ret_why)
{
	const unsigned char *at = der->data;
	X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)der->size);

	if (name == NULL || at != der->data + der->size) {
		X509_NAME_free(name);
		(void)openssl_failure(CKR_ARGUMENTS_BAD);
		return refuse(ret_why, text_format("the subject that the key was made with is no "
		                                   "Name in DER"));
	}
	*ret_name = name;
	return CKR_OK;
}

CK_RV
certificate_name(const struct certificate_wish *wish, X509_NAME **ret_name, char **ret_why)
{
	X509_NAME *name;
	CK_RV rv;

	if (wish->subject == NULL)
		return name_parse(wish->name, ret_name, ret_why);
	name = X509_NAME_new();
	if (name == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	if (wish->subject[0] == '/') {
		rv = add_parts(name, wish->subject, ret_why);
	} else {
		size_t size = common_name_size(wish->subject);

		if (size == 0)
			rv = refuse(ret_why, text_format("the subject is empty, or no text"));
		else
			rv = add(name, "CN", wish->subject, size) ? CKR_OK
			                                          : openssl_failure(CKR_HOST_MEMORY);
	}
	if (rv == CKR_OK)
		*ret_name = name;
	else
		X509_NAME_free(name);
	return rv;
}

/* RFC 5280, section 4.2.1.6; an internationalised name is written in its ASCII form. */
static bool
dns_valid(const char *name)
{
	size_t size = strlen(name);

	return size > 0 && size <= DNS_MAX && name[0] != '.' && name[0] != '-' &&
	       strstr(name, "..") == NULL && (strchr(name, '*') == NULL ||
	                                      (strncmp(name, "*.", 2) == 0 && size > 2 &&
	                                       strchr(name + 1, '*') == NULL)) &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                         "0123456789.-_*")] == '\0';
}

static CK_RV
push(GENERAL_NAMES *names, int type, void *value)
{
	GENERAL_NAME *name = value != NULL ? GENERAL_NAME_new() : NULL;

	if (name == NULL) {
		ASN1_STRING_free(value);
		return openssl_failure(CKR_HOST_MEMORY);
	}
	GENERAL_NAME_set0_value(name, type, value);
	if (sk_GENERAL_NAME_push(names, name) == 0) {
		GENERAL_NAME_free(name);
		return openssl_failure(CKR_HOST_MEMORY);
	}
	return CKR_OK;
}

static CK_RV
push_dns(GENERAL_NAMES *names, const char *dns, char **ret_why)
{
	ASN1_IA5STRING *value;

	if (!dns_valid(dns))
		return refuse(ret_why, text_format("%s: is no DNS name; write one like web.example, "
		                                   "*.example, or xn--bcher-kva.example", dns));
	value = ASN1_IA5STRING_new();
	if (value != NULL && ASN1_STRING_set(value, dns, -1) != 1) {
		ASN1_IA5STRING_free(value);
		value = NULL;
	}
	return push(names, GEN_DNS, value);
}

static CK_RV
push_ip(GENERAL_NAMES *names, const char *ip, char **ret_why)
{
	ASN1_OCTET_STRING *value = a2i_IPADDRESS(ip);

	if (value == NULL) {
		(void)openssl_failure(CKR_ARGUMENTS_BAD);
		return refuse(ret_why, text_format("%s: is no IP address; write one like 192.0.2.1 or "
		                                   "2001:db8::1", ip));
	}
	return push(names, GEN_IPADD, value);
}

CK_RV
certificate_other_names(const struct certificate_wish *wish, GENERAL_NAMES **ret_names,
                        char **ret_why)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	CK_RV rv = CKR_OK;

	if (names == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	for (int i = 0; rv == CKR_OK && i < wish->dns_count; i++)
		rv = push_dns(names, wish->dns[i], ret_why);
	for (int i = 0; rv == CKR_OK && i < wish->ip_count; i++)
		rv = push_ip(names, wish->ip[i], ret_why);
	if (rv == CKR_OK)
		*ret_names = names;
	else
		GENERAL_NAMES_free(names);
	return rv;
}
