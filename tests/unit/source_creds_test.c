/* A database's address comes as a URL or as the course's YAML file, and holds a password. What could go wrong: a
 * part is cut at the wrong character, an encoded password is not decoded, a spelling of a key is missed, or a
 * complaint repeats the password. How: addresses of all shapes, and every complaint searched for the password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "source/parts.h"

static void is_url(const char *url, const char *host, int port, const char *user, const char *password,
                   const char *database)
{
    struct creds creds = {0};

    assert_int_equal(creds_from_url(&creds, url), ERR_OK);
    assert_string_equal(creds.host, host);
    assert_int_equal(creds.port, port);
    assert_string_equal(creds.user, user);
    assert_string_equal(creds.password, password);
    assert_string_equal(creds.database, database);
    creds_release(&creds);
}

static void urls_are_taken_apart(void **state)
{
    is_url("mysql://root@localhost/pinterest_data", "localhost", 3306, "root", "", "pinterest_data");
    is_url("mysql+pymysql://me:p%40ss%3aw%2Frd%25@db.example:3307/d?charset=utf8mb4", "db.example", 3307,
           "me", "p@ss:w/rd%", "d");
    is_url("mysql://me:with:colon@h/d", "h", 3306, "me", "with:colon", "d");
    is_url("mysql://me:at@sign@h:1/d", "h", 1, "me", "at@sign", "d");
    is_url("mariadb://me:x@[::1]:3306/d", "::1", 3306, "me", "x", "d");
    is_url("mysql://me:x@[fe80::2]/d%20e", "fe80::2", 3306, "me", "x", "d e");
}

static void options_of_urls_are_taken(void **state)
{
    struct creds creds = {0};

    assert_int_equal(
        creds_from_url(&creds, "mysql://u@h/d?unix_socket=%2Ftmp%2Fs&charset=latin1&ssl_ca=ca.pem"), ERR_OK);
    assert_string_equal(creds.socket, "/tmp/s");
    assert_string_equal(creds.charset, "latin1");
    assert_string_equal(creds.ssl_ca, "ca.pem");
    creds_release(&creds);
}

static void refused(const char *url)
{
    struct creds creds = {0};

    assert_int_equal(creds_from_url(&creds, url), ERR_INVALID);
    assert_null(strstr(err_sentence(), "hunter2"));
    assert_null(creds.password);
}

static void wrong_urls_are_refused_without_the_password(void **state)
{
    refused("mysql://me:hunter2@h");
    refused("mysql://me:hunter2@h/");
    refused("mysql://h/d");
    refused("mysql://me:hunter2%4@h/d");
    refused("mysql://me:hunter2%zz@h/d");
    refused("mysql://me:hunter2%00@h/d");
    refused("mysql://me:hunter2@h:port/d");
    refused("mysql://me:hunter2@h:65536/d");
    refused("mysql://me:hunter2@h:0/d");
    refused("mysql://me:hunter2@[::1/d");
    refused("mysql://me:hunter2@h/d?hunter2");
    refused("mysql://me:hunter2@h/d?init_command=hunter2");
    refused("mysql+pymysql:me:hunter2@h/d");
}

static enum err from_yaml(struct creds *out, const char *text)
{
    return creds_from_yaml(out, text, strlen(text), "db_creds.yaml");
}

static void yaml_is_read_in_either_case(void **state)
{
    static const char *const texts[] = {
        "HOST: h.example\nUSER: me\nPASSWORD: \":p@ss#word\"\nDATABASE: pinterest_data\nPORT: 3307\n",
        "host: h.example\nuser: me\npassword: ':p@ss#word'\ndatabase: pinterest_data\nport: '3307'\nextra: "
        "[1]\n",
    };

    for (size_t i = 0; i < 2; i++) {
        struct creds creds = {0};
        assert_int_equal(from_yaml(&creds, texts[i]), ERR_OK);
        assert_string_equal(creds.host, "h.example");
        assert_string_equal(creds.user, "me");
        assert_string_equal(creds.password, ":p@ss#word");
        assert_string_equal(creds.database, "pinterest_data");
        assert_int_equal(creds.port, 3307);
        creds_release(&creds);
    }
}

static void wrong_yaml_is_refused_without_the_password(void **state)
{
    static const char *const texts[] = {
        "",
        "- HOST\n",
        "hunter2",
        "HOST: h\nUSER: u\nPASSWORD: hunter2\n",
        "HOST: h\nPASSWORD: hunter2\nDATABASE: d\n",
        "HOST: h\nUSER: u\nPASSWORD: [hunter2]\nDATABASE: d\n",
        "HOST: h\nUSER: u\nPASSWORD: \"hunter2\nDATABASE: d\n",
        "HOST: h\nUSER: u\nPASSWORD: hunter2\nDATABASE: d\nPORT: hunter2\n",
        "HOST: h\nUSER: u\nPASSWORD: \"hunter2\\0\"\nDATABASE: d\n",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct creds creds = {0};
        assert_int_equal(from_yaml(&creds, texts[i]), ERR_INVALID);
        assert_null(strstr(err_sentence(), "hunter2"));
        assert_null(creds.password);
    }
}

/* A mistyped source may be an address with a password in it. */
static void an_unknown_source_is_not_repeated(void **state)
{
    struct source_options options = {"mysq://me:hunter2@h/d", SOURCE_EACH_ONCE, 1, false};
    struct source *source = NULL;

    assert_int_equal(source_open(&source, &options), ERR_INVALID);
    assert_null(strstr(err_sentence(), "hunter2"));
    options.url = "/nowhere/db_creds.yaml";
    assert_int_equal(source_open(&source, &options), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(options_of_urls_are_taken),
        cmocka_unit_test(wrong_urls_are_refused_without_the_password),
        cmocka_unit_test(yaml_is_read_in_either_case),
        cmocka_unit_test(wrong_yaml_is_refused_without_the_password),
        cmocka_unit_test(an_unknown_source_is_not_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
