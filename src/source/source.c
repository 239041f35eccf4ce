/* source.c - which kind of source an address means. */
#include <string.h>

#include "source/parts.h"

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static enum err open_database(struct source **out, const struct source_options *options)
{
    struct creds creds = {0};
    enum err err;

    if (creds_is_url(options->url))
        err = creds_from_url(&creds, options->url);
    else
        err = creds_from_file(&creds, options->url);
    if (!err)
        err = mysql_open(out, &creds, options);
    creds_release(&creds);
    return err;
}

enum err source_open(struct source **out, const struct source_options *options)
{
    const char *url = options->url;

    if (strcmp(url, "demo") == 0)
        return generator_open(out, options);
    if (strncmp(url, "file:", 5) == 0)
        return jsonl_open(out, url + 5, options);
    if (creds_is_url(url) || ends_with(url, ".yaml") || ends_with(url, ".yml"))
        return open_database(out, options);
    /* What was typed may hold a password, so it is not repeated. */
    return err_note(ERR_INVALID,
                    "the source is none of demo, file:DIR, mysql://USER:PASSWORD@HOST:PORT/DATABASE "
                    "or the path of a db_creds.yaml");
}

void source_close(struct source *source)
{
    if (source)
        source->close(source);
}

enum err source_next(struct source *source, struct post *out)
{
    return source->next(source, out);
}

int64_t source_count(const struct source *source)
{
    return source->count;
}
