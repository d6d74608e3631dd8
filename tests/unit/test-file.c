/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[512];

/* Makes a file with the given mode; its path is in path. */
static void
make(const char *name, const char *content, size_t size, mode_t mode)
{
	int fd;

	snprintf(path, sizeof path, "%s", unit_path(name));
	(void)unlink(path);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, size), (ssize_t)size);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static void
assert_refused(const char *at, enum file_trust trust, size_t limit, const char *reason)
{
	struct buffer content = BUFFER_INIT;
	char *why = NULL;
	char expected[1200];

	ck_assert_uint_eq(buffer_set(&content, "kept", 4), CKR_OK);
	ck_assert(!file_read(at, trust, limit, &content, &why));
	/* "PATH: can't be ...", "PATH is ..." */
	snprintf(expected, sizeof expected, "%s%s %s", at, strncmp(reason, "can't", 5) == 0 ? ":" : "",
	         reason);
	ck_assert_str_eq(why, expected);
	ck_assert(buffer_equal(&content, "kept", 4));
	free(why);
	buffer_clear(&content);
}

static void
assert_read(enum file_trust trust, const char *expected, size_t size)
{
	struct buffer content = BUFFER_INIT;
	char *why = NULL;

	ck_assert_msg(file_read(path, trust, 100, &content, &why), "%s", why);
	ck_assert(buffer_equal(&content, expected, size));
	buffer_clear(&content);
}

START_TEST(a_whole_file_is_read)
{
	make("plain", "a\0b\r\n", 5, 0644);
	assert_read(FILE_PUBLIC, "a\0b\r\n", 5);
	make("plain", "", 0, 0600);
	assert_read(FILE_PUBLIC, "", 0);
	assert_read(FILE_SECRET, "", 0);
	make("plain", "x", 1, 0640);
	assert_read(FILE_SECRET, "x", 1);
	make("plain", "x", 1, 0400);
	assert_read(FILE_SECRET, "x", 1);
}
END_TEST

START_TEST(the_limit_is_exact)
{
	make("ten", "0123456789", 10, 0600);
	assert_refused(path, FILE_PUBLIC, 9, "is larger than 9 bytes; name the right file");
	assert_refused(path, FILE_PUBLIC, 0, "is larger than 0 bytes; name the right file");
	assert_refused(path, FILE_PUBLIC, SIZE_MAX, "can't be read: out of memory");
	assert_read(FILE_PUBLIC, "0123456789", 10);
}
END_TEST

START_TEST(a_missing_file_is_named)
{
	struct buffer content = BUFFER_INIT;
	char *why = NULL;

	snprintf(path, sizeof path, "%s", unit_path("missing"));
	assert_refused(path, FILE_PUBLIC, 10,
	               "can't be opened: No such file or directory; make it, or correct the path");
	snprintf(path, sizeof path, "%s", unit_path("no/such/folder"));
	assert_refused(path, FILE_PUBLIC, 10,
	               "can't be opened: No such file or directory; make it, or correct the path");
	ck_assert(!file_read("", FILE_PUBLIC, 10, &content, &why));
	free(why);
}
END_TEST

START_TEST(others_must_not_write)
{
	char reason[800];

	make("open", "x", 1, 0666);
	snprintf(reason, sizeof reason, "is writable by others (mode 0666); run: chmod 0644 %s", path);
	assert_refused(path, FILE_PUBLIC, 10, reason);
	snprintf(reason, sizeof reason, "is writable by others (mode 0666); run: chmod 0600 %s", path);
	assert_refused(path, FILE_SECRET, 10, reason);
	make("open", "x", 1, 0620);
	snprintf(reason, sizeof reason, "is writable by others (mode 0620); run: chmod 0644 %s", path);
	assert_refused(path, FILE_PUBLIC, 10, reason);
}
END_TEST

START_TEST(others_must_not_read_secrets)
{
	char reason[800];

	make("shown", "x", 1, 0604);
	snprintf(reason, sizeof reason, "is readable by others (mode 0604); run: chmod 0600 %s", path);
	assert_refused(path, FILE_SECRET, 10, reason);
	assert_read(FILE_PUBLIC, "x", 1);
}
END_TEST

START_TEST(the_owner_is_root_or_the_user)
{
	char reason[800];

	make("foreign", "x", 1, 0644);
	if (geteuid() != 0 || chown(path, 12345, (gid_t)-1) != 0)
		return; /* only root can give files away */
	snprintf(reason, sizeof reason, "belongs to another user (uid 12345); run: chown 0 %s", path);
	assert_refused(path, FILE_PUBLIC, 10, reason);
}
END_TEST

START_TEST(only_regular_files_are_read)
{
	char link[512];

	make("target", "x", 1, 0600);
	snprintf(link, sizeof link, "%s", unit_path("link"));
	ck_assert_int_eq(symlink(path, link), 0);
	assert_refused(link, FILE_PUBLIC, 10,
	               "is a symbolic link; name the file that it points to");

	snprintf(link, sizeof link, "%s", unit_path("fifo"));
	ck_assert_int_eq(mkfifo(link, 0600), 0);
	assert_refused(link, FILE_PUBLIC, 10, "is not a regular file; name a regular file");

	snprintf(link, sizeof link, "%s", unit_path("folder"));
	ck_assert_int_eq(mkdir(link, 0700), 0);
	assert_refused(link, FILE_PUBLIC, 10, "is not a regular file; name a regular file");
	assert_refused("/dev/null", FILE_PUBLIC, 10, "is not a regular file; name a regular file");
}
END_TEST

START_TEST(the_folder_must_not_be_anybodys)
{
	char folder[512];

	snprintf(folder, sizeof folder, "%s", unit_path("anybodys"));
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	make("anybodys/file", "x", 1, 0600);
	assert_read(FILE_SECRET, "x", 1);
	ck_assert_int_eq(chmod(folder, 0777), 0);
	assert_refused(path, FILE_PUBLIC, 10,
	               "is in a folder that anybody may write to (mode 0777); run: chmod o-w on "
	               "the folder");
	ck_assert_int_eq(chmod(folder, 01777), 0); /* like /tmp */
	assert_read(FILE_SECRET, "x", 1);
}
END_TEST

START_TEST(a_relative_path_works)
{
	make("relative", "x", 1, 0600);
	ck_assert_int_eq(chdir(unit_path(".")), 0);
	snprintf(path, sizeof path, "relative");
	assert_read(FILE_PUBLIC, "x", 1);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

static void
assert_secret(const char *content, const char *expected)
{
	struct secret *secret = NULL;
	char *why = NULL;

	make("pin", content, strlen(content), 0600);
	ck_assert_msg(file_read_secret(path, 20, &secret, &why), "%s", why);
	ck_assert(secret_equal(secret, expected, strlen(expected)));
	secret_free(&secret);
}

START_TEST(secrets_lose_one_line_end)
{
	assert_secret("1234", "1234");
	assert_secret("1234\n", "1234");
	assert_secret("1234\r\n", "1234");
	assert_secret("1234\n\n", "1234\n");
	assert_secret(" 12 34 \n", " 12 34 ");
	assert_secret("\n", "");
	assert_secret("", "");
}
END_TEST

START_TEST(secrets_are_checked_alike)
{
	struct secret *secret = NULL;
	char *why = NULL;
	char expected[1200];

	make("pin", "1234\n", 5, 0644);
	ck_assert(!file_read_secret(path, 20, &secret, &why));
	snprintf(expected, sizeof expected,
	         "%s is readable by others (mode 0644); run: chmod 0600 %s", path, path);
	ck_assert_str_eq(why, expected);
	free(why);
	why = NULL;
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert(!file_read_secret(path, 4, &secret, &why));
	ck_assert_ptr_nonnull(strstr(why, "larger than 4 bytes"));
	free(why);
	ck_assert_ptr_null(secret);
}
END_TEST

START_TEST(writing_replaces_the_whole_file)
{
	struct stat status;
	char link[512];
	char *why = NULL;

	snprintf(path, sizeof path, "%s", unit_path("written"));
	ck_assert_msg(file_write(path, "first", 5, 0600, &why), "%s", why);
	assert_read(FILE_SECRET, "first", 5);
	ck_assert_msg(file_write(path, "2", 1, 0644, &why), "%s", why);
	assert_read(FILE_PUBLIC, "2", 1);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0644);
	ck_assert_msg(file_write(path, NULL, 0, 0600, &why), "%s", why);
	assert_read(FILE_PUBLIC, "", 0);

	/* A link is replaced, what it points to is left alone. */
	snprintf(link, sizeof link, "%s", unit_path("written-link"));
	ck_assert_int_eq(symlink(path, link), 0);
	ck_assert_msg(file_write(link, "new", 3, 0600, &why), "%s", why);
	assert_read(FILE_PUBLIC, "", 0);
	ck_assert_int_eq(lstat(link, &status), 0);
	ck_assert(S_ISREG(status.st_mode));
}
END_TEST

START_TEST(writing_fails_clean)
{
	char expected[1200];
	char temporary[600];
	char *why = NULL;

	snprintf(path, sizeof path, "%s", unit_path("no-folder/file"));
	ck_assert(!file_write(path, "x", 1, 0600, &why));
	snprintf(expected, sizeof expected,
	         "%s: can't be written: No such file or directory; make it, or correct the path",
	         path);
	ck_assert_str_eq(why, expected);
	free(why);
	why = NULL;

	/* A folder can't be replaced by a file; no temporary file is left. */
	snprintf(path, sizeof path, "%s", unit_path("holder"));
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(temporary, sizeof temporary, "%s/in", path);
	ck_assert_int_eq(mkdir(temporary, 0700), 0);
	ck_assert(!file_write(temporary, "x", 1, 0600, &why));
	ck_assert_ptr_nonnull(strstr(why, "can't be written: Is a directory"));
	free(why);
	ck_assert_int_eq(rmdir(temporary), 0);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(editions_tell_contents_apart)
{
	struct file_edition none = file_edition(NULL), first, again, next;
	char *why = NULL;

	snprintf(path, sizeof path, "%s", unit_path("edition"));
	(void)unlink(path);
	first = file_edition(path);
	ck_assert(file_edition_equal(&first, &none));
	ck_assert(file_write(path, "one", 3, 0600, &why));
	first = file_edition(path);
	again = file_edition(path);
	ck_assert(!file_edition_equal(&first, &none));
	ck_assert(file_edition_equal(&first, &again));
	/* Another file of the same size. */
	usleep(20000);
	ck_assert(file_write(path, "two", 3, 0600, &why));
	next = file_edition(path);
	ck_assert(!file_edition_equal(&first, &next));
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("file");
	TCase *tcase = tcase_create("file");

	tcase_add_test(tcase, a_whole_file_is_read);
	tcase_add_test(tcase, the_limit_is_exact);
	tcase_add_test(tcase, a_missing_file_is_named);
	tcase_add_test(tcase, others_must_not_write);
	tcase_add_test(tcase, others_must_not_read_secrets);
	tcase_add_test(tcase, the_owner_is_root_or_the_user);
	tcase_add_test(tcase, only_regular_files_are_read);
	tcase_add_test(tcase, the_folder_must_not_be_anybodys);
	tcase_add_test(tcase, a_relative_path_works);
	tcase_add_test(tcase, secrets_lose_one_line_end);
	tcase_add_test(tcase, secrets_are_checked_alike);
	tcase_add_test(tcase, writing_replaces_the_whole_file);
	tcase_add_test(tcase, writing_fails_clean);
	tcase_add_test(tcase, editions_tell_contents_apart);
	suite_add_tcase(suite, tcase);
	return suite;
}
