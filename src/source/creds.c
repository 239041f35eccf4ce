/* creds.c - where a database is, and who we are there: from a URL or from the course's db_creds.yaml.
 *
 *     mysql+pymysql://USER:PASSWORD@HOST:PORT/DATABASE?charset=utf8mb4
 *     mysql://USER:PASSWORD@[::1]:3306/DATABASE?unix_socket=%2Frun%2Fmysqld%2Fmysqld.sock
 *
 * No note repeats any of it but host, port and user: a password may stand anywhere in a mistyped address. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "source/parts.h"

enum { MYSQL_DEFAULT_PORT = 3306, CREDS_FILE_MOST = 64 * 1024 };

void creds_release(struct creds *creds)
{
    char **texts[] = {&creds->host,    &creds->user,   &creds->password, &creds->database,
                      &creds->charset, &creds->socket, &creds->ssl_ca};

    if (creds->password)
        explicit_bzero(creds->password, strlen(creds->password));
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        free(*texts[i]);
    *creds = (struct creds){0};
}

bool creds_is_url(const char *text)
{
    return strncmp(text, "mysql://", 8) == 0 || strncmp(text, "mysql+", 6) == 0 ||
           strncmp(text, "mariadb://", 10) == 0 || strncmp(text, "mariadb+", 8) == 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Replace *out by a percent-decoded copy of the `size` bytes at `at`. */
static enum err decode(char **out, const char *at, size_t size, const char *what)
{
    char *text = malloc(size + 1);
    size_t length = 0;

    if (!text)
        return err_note(ERR_NO_MEMORY, "no memory for the database's address");
    for (size_t i = 0; i < size; i++) {
        char c = at[i];
        if (c == '%') {
            int high = size - i > 2 ? hex_digit(at[i + 1]) : -1;
            int low = size - i > 2 ? hex_digit(at[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                free(text);
                return err_note(
                    ERR_INVALID,
                    "the %s in the database's URL has a %% that two hexadecimal digits do not follow: "
                    "write %%25 for a percent sign",
                    what);
            }
            c = (char)(high << 4 | low);
            i += 2;
        }
        text[length++] = c;
    }
    text[length] = 0;
    free(*out);
    *out = text;
    return ERR_OK;
}

static enum err parse_port(int *out, const char *at, size_t size)
{
    int port = 0;

    for (size_t i = 0; i < size && port <= 65535; i++) {
        if (at[i] < '0' || at[i] > '9')
            return err_note(ERR_INVALID, "the database's port is not a number");
        port = port * 10 + (at[i] - '0');
    }
    if (port < 1 || port > 65535)
        return err_note(ERR_INVALID, "the database's port is not between 1 and 65535");
    *out = port;
    return ERR_OK;
}

static enum err parse_query(struct creds *out, const char *query)
{
    const struct {
        const char *name;
        char **value;
    } known[] = {
        {"charset", &out->charset},
        {"unix_socket", &out->socket},
        {"ssl_ca", &out->ssl_ca},
    };

    while (*query) {
        size_t size = strcspn(query, "&"), name_size = strcspn(query, "=&"), k = 0;
        enum err err;

        while (k < 3 && (strlen(known[k].name) != name_size || strncmp(query, known[k].name, name_size) != 0))
            k++;
        if (k == 3 || name_size == size)
            return err_note(ERR_INVALID,
                            "the database's URL has an option other than charset=, unix_socket= and ssl_ca=");
        err = decode(known[k].value, query + name_size + 1, size - name_size - 1, known[k].name);
        if (err)
            return err;
        query += size + (query[size] == '&');
    }
    return ERR_OK;
}

/* USER:PASSWORD@HOST:PORT; the user ends at the first colon, the host begins behind the last @. */
static enum err parse_authority(struct creds *out, const char *at, size_t size)
{
    const char *host = memrchr(at, '@', size), *colon, *end = at + size;
    size_t host_size;
    enum err err;

    if (!host)
        return err_note(ERR_INVALID,
                        "the database's URL names no user: mysql://USER:PASSWORD@HOST:PORT/DATABASE");
    colon = memchr(at, ':', (size_t)(host - at));
    err = decode(&out->user, at, (size_t)((colon ? colon : host) - at), "user");
    if (!err && colon)
        err = decode(&out->password, colon + 1, (size_t)(host - colon - 1), "password");
    if (err)
        return err;
    host++;
    if (host < end && *host == '[') { /* an IPv6 address */
        const char *bracket = memchr(host, ']', (size_t)(end - host));
        if (!bracket || (bracket + 1 < end && bracket[1] != ':'))
            return err_note(ERR_INVALID,
                            "the host in the database's URL opens a bracket that nothing closes");
        host++;
        host_size = (size_t)(bracket - host);
        colon = bracket + 1 < end ? bracket + 1 : NULL;
    } else {
        colon = memchr(host, ':', (size_t)(end - host));
        host_size = (size_t)((colon ? colon : end) - host);
    }
    err = decode(&out->host, host, host_size, "host");
    if (!err && colon)
        err = parse_port(&out->port, colon + 1, (size_t)(end - colon - 1));
    return err;
}

static enum err text_or(char **text, const char *fallback)
{
    if (*text)
        return ERR_OK;
    *text = strdup(fallback);
    return *text ? ERR_OK : err_note(ERR_NO_MEMORY, "no memory for the database's address");
}

/* What was not given. */
static enum err fill(struct creds *out)
{
    enum err err = text_or(&out->host, "localhost");

    if (!err)
        err = text_or(&out->password, "");
    if (!err)
        err = text_or(&out->charset, "utf8mb4");
    if (!err && out->port == 0)
        out->port = MYSQL_DEFAULT_PORT;
    return err;
}

enum err creds_from_url(struct creds *out, const char *url)
{
    struct creds creds = {0};
    const char *at = strstr(url, "://"), *path, *query;
    enum err err;

    if (!creds_is_url(url) || !at)
        return err_note(ERR_INVALID, "a database's URL begins with mysql:// or mysql+pymysql://");
    at += 3;
    /* A password is percent-encoded, so the first slash ends the authority. */
    path = at + strcspn(at, "/?");
    query = path + strcspn(path, "?");
    err = parse_authority(&creds, at, (size_t)(path - at));
    if (!err && (*path != '/' || query - path < 2))
        err = err_note(ERR_INVALID, "the database's URL names no database behind the host: "
                                    "mysql://USER:PASSWORD@HOST:PORT/DATABASE");
    if (!err)
        err = decode(&creds.database, path + 1, (size_t)(query - path - 1), "database");
    if (!err && *query)
        err = parse_query(&creds, query + 1);
    if (!err)
        err = fill(&creds);
    if (err) {
        creds_release(&creds);
        return err;
    }
    *out = creds;
    return ERR_OK;
}

/* One key and its value. Keys that are not ours are passed over, as the scripts do. */
static enum err take_pair(struct creds *creds, const yaml_node_t *key, const yaml_node_t *value,
                          const char *name)
{
    const struct {
        const char *name;
        char **value;
    } known[] = {
        {"HOST", &creds->host},
        {"USER", &creds->user},
        {"PASSWORD", &creds->password},
        {"DATABASE", &creds->database},
    };
    const char *text = (const char *)value->data.scalar.value;
    size_t size = value->data.scalar.length;

    if (key->type != YAML_SCALAR_NODE)
        return ERR_OK;
    if (strcasecmp((const char *)key->data.scalar.value, "PORT") == 0) {
        if (value->type != YAML_SCALAR_NODE)
            return err_note(ERR_INVALID, "%s: PORT is not a plain value", name);
        return parse_port(&creds->port, text, size);
    }
    for (size_t k = 0; k < sizeof(known) / sizeof(*known); k++) {
        if (strcasecmp((const char *)key->data.scalar.value, known[k].name) != 0)
            continue;
        if (value->type != YAML_SCALAR_NODE || memchr(text, 0, size))
            return err_note(ERR_INVALID, "%s: %s is not a plain value", name, known[k].name);
        free(*known[k].value);
        *known[k].value = strndup(text, size);
        if (!*known[k].value)
            return err_note(ERR_NO_MEMORY, "no memory for the database's address");
    }
    return ERR_OK;
}

static enum err take_map(struct creds *creds, yaml_document_t *document, const char *name)
{
    const yaml_node_t *root = yaml_document_get_root_node(document);
    enum err err = ERR_OK;

    if (!root || root->type != YAML_MAPPING_NODE)
        return err_note(ERR_INVALID, "%s: not a map of HOST, USER, PASSWORD, DATABASE and PORT", name);
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         !err && pair < root->data.mapping.pairs.top; pair++)
        err = take_pair(creds, yaml_document_get_node(document, pair->key),
                        yaml_document_get_node(document, pair->value), name);
    if (!err && (!creds->host || !creds->user || !creds->database))
        err = err_note(ERR_INVALID, "%s: %s is missing", name,
                       !creds->host   ? "HOST"
                       : !creds->user ? "USER"
                                      : "DATABASE");
    return err ? err : fill(creds);
}

enum err creds_from_yaml(struct creds *out, const char *text, size_t size, const char *name)
{
    struct creds creds = {0};
    yaml_parser_t parser;
    yaml_document_t document;
    enum err err;

    if (!yaml_parser_initialize(&parser))
        return err_note(ERR_NO_MEMORY, "no memory to read %s", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    if (yaml_parser_load(&parser, &document)) {
        err = take_map(&creds, &document, name);
        yaml_document_delete(&document);
    } else {
        /* The parser's own words may quote the line, and with it the password. */
        err = err_note(ERR_INVALID, "%s: line %zu is not YAML", name, parser.problem_mark.line + 1);
    }
    yaml_parser_delete(&parser);
    if (err) {
        creds_release(&creds);
        return err;
    }
    *out = creds;
    return ERR_OK;
}

enum err creds_from_file(struct creds *out, const char *path)
{
    char *text = malloc(CREDS_FILE_MOST);
    FILE *file = NULL;
    size_t size = 0;
    enum err err = ERR_NO_MEMORY;

    if (!text)
        goto out;
    file = fopen(path, "re");
    if (!file) {
        err = err_note(errno == EACCES ? ERR_DENIED : ERR_NOT_FOUND, "cannot open %s: %s", path,
                       strerror(errno));
        goto out;
    }
    size = fread(text, 1, CREDS_FILE_MOST, file);
    if (ferror(file))
        err = err_note(ERR_IO, "cannot read %s: %s", path, strerror(errno));
    else if (size == CREDS_FILE_MOST)
        err = err_note(ERR_TOO_LARGE, "%s is no file of credentials: it is larger than 64 KiB", path);
    else
        err = creds_from_yaml(out, text, size, path);
out:
    if (file)
        fclose(file);
    if (text)
        explicit_bzero(text, CREDS_FILE_MOST);
    free(text);
    return err;
}
