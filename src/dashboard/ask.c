/* ask.c - one SQL connection, the tables that were asked for, and the answers that are still true. */
#include "dashboard/ask.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "dashboard/api.h"
#include "table/table.h"

enum {
    HELD_MOST = 64,    /* tables that are kept open */
    ANSWERS_MOST = 32, /* answers that are kept */
    ANSWER_BYTES_MOST = 8 << 20,
    COUNTS_MOST = 64, /* topics of one table */
    WAIT_MOST_S = 10, /* for one's turn */
    PAUSE_LEAST_MS = 900,
    PAUSE_SHARE = 9, /* an answer that took 1 s is given for 9 s at least */
    QUESTIONS_BYTES_MOST = 4 << 20,
};

struct topic_rows {
    char topic[256];
    int64_t rows;
};

struct held_table {
    char name[256];
    struct table *table;
    int64_t counted_version; /* -1: not counted yet */
    int64_t count_next_ms;   /* steady */
    struct topic_rows counts[COUNTS_MOST];
    size_t count;
};

struct answer {
    char key[320];            /* what was asked; "" unused */
    char versions[320];       /* of the tables that it was asked of */
    int64_t next_ms, used_ms; /* steady: when it may be asked again; when it was last wanted */
    struct buf text;
};

struct asker {
    const struct config *config;
    struct disk *disk;
    struct sql *sql;
    pthread_mutex_t turn;
    volatile bool stopped;
    struct held_table *held[HELD_MOST];
    size_t held_count;
    struct answer answers[ANSWERS_MOST];
};

enum err asker_open(struct asker **out, const struct config *config, struct disk *disk, struct sql_db *db)
{
    struct asker *asker = calloc(1, sizeof(*asker));
    enum err err;

    if (!asker)
        return err_note(ERR_NO_MEMORY, "out of memory for the dashboard's questions");
    asker->config = config;
    asker->disk = disk;
    pthread_mutex_init(&asker->turn, NULL);
    for (size_t i = 0; i < ANSWERS_MOST; i++)
        asker->answers[i].text = buf_init(ANSWER_BYTES_MOST);
    err = sql_open(&asker->sql, db);
    if (err) {
        asker_close(asker);
        return err;
    }
    *out = asker;
    return ERR_OK;
}

void asker_close(struct asker *asker)
{
    if (!asker)
        return;
    for (size_t i = 0; i < asker->held_count; i++) {
        table_close(asker->held[i]->table);
        free(asker->held[i]);
    }
    for (size_t i = 0; i < ANSWERS_MOST; i++)
        buf_release(&asker->answers[i].text);
    sql_close(asker->sql);
    pthread_mutex_destroy(&asker->turn);
    free(asker);
}

void asker_stop(struct asker *asker)
{
    asker->stopped = true;
    sql_interrupt(asker->sql);
}

/* ---- turns ---- */

static enum err take_turn(struct asker *asker)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_MOST_S;
    if (pthread_mutex_clocklock(&asker->turn, CLOCK_MONOTONIC, &until))
        return err_note(ERR_BUSY, "another question is still running; ask again in a moment");
    if (asker->stopped) {
        pthread_mutex_unlock(&asker->turn);
        return err_note(ERR_STOPPED, "the dashboard is stopping");
    }
    return ERR_OK;
}

static void end_turn(struct asker *asker)
{
    pthread_mutex_unlock(&asker->turn);
}

/* ---- tables ---- */

/* The table, as it is now. Keeping it open makes the next look cheap: only new commits are read. */
static enum err hold(struct asker *asker, const char *name, struct held_table **out)
{
    struct held_table *held = NULL;
    enum err err;

    for (size_t i = 0; i < asker->held_count; i++) {
        if (strcmp(asker->held[i]->name, name) == 0) {
            *out = asker->held[i];
            return table_refresh(asker->held[i]->table);
        }
    }
    if (asker->held_count == HELD_MOST)
        return err_note(ERR_FULL, "the dashboard shows at most %d tables", HELD_MOST);
    held = calloc(1, sizeof(*held));
    if (!held)
        return err_note(ERR_NO_MEMORY, "out of memory for table %s", name);
    err = table_open(&held->table, asker->disk, asker->sql, config_path(asker->config, "tables"), name);
    if (err) {
        free(held);
        return err;
    }
    snprintf(held->name, sizeof(held->name), "%s", name);
    held->counted_version = -1;
    asker->held[asker->held_count++] = held;
    *out = held;
    return ERR_OK;
}

/* ---- answers that are kept ---- */

/* The kept answer of that key, or the place for it: an unused one, else the one not wanted for longest. */
static struct answer *answer_of(struct asker *asker, const char *key)
{
    struct answer *oldest = &asker->answers[0];

    for (size_t i = 0; i < ANSWERS_MOST; i++) {
        struct answer *answer = &asker->answers[i];
        if (strcmp(answer->key, key) == 0)
            return answer;
        if (answer->used_ms < oldest->used_ms)
            oldest = answer;
    }
    snprintf(oldest->key, sizeof(oldest->key), "%s", key);
    oldest->versions[0] = 0;
    oldest->next_ms = 0;
    buf_clear(&oldest->text);
    return oldest;
}

static bool still_good(struct answer *answer, const char *versions)
{
    int64_t now = clock_steady_ms();

    answer->used_ms = now;
    return answer->text.size && (strcmp(answer->versions, versions) == 0 || now < answer->next_ms);
}

static enum err keep(struct answer *answer, const char *versions, json_t *json, int64_t start_ms)
{
    int64_t now = clock_steady_ms(), pause = (now - start_ms) * PAUSE_SHARE;
    enum err err = json ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory for an answer");

    buf_clear(&answer->text);
    if (!err)
        err = json_doc_write(json, &answer->text);
    if (err)
        answer->key[0] = 0;
    snprintf(answer->versions, sizeof(answer->versions), "%s", versions);
    answer->next_ms = now + (pause > PAUSE_LEAST_MS ? pause : PAUSE_LEAST_MS);
    return err;
}

/* ---- insights ---- */

/* "12 7 9": the versions of the tables that the questions are asked of. */
static enum err versions_of(struct asker *asker, enum insight_from from, char *out, size_t room)
{
    const char *at = config_text(asker->config, "entities");
    size_t length = 0;

    out[0] = 0;
    while (*at) {
        int size = (int)strcspn(at, ", ");
        char name[400];
        struct held_table *held;
        enum err err;
        snprintf(name, sizeof(name), "%s_%.*s_%s", config_text(asker->config, "user"), size, at,
                 from == INSIGHT_FROM_STREAMS ? "stream" : "table");
        err = size ? hold(asker, name, &held) : ERR_OK;
        if (err)
            return err;
        if (size && length < room)
            length +=
                (size_t)snprintf(out + length, room - length, "%lld ", (long long)table_version(held->table));
        at += size;
        at += strspn(at, ", ");
    }
    return ERR_OK;
}

/* A question that cannot be answered says why in its place; the others are answered all the same. `missing` is why none
 * can be, or "". */
static enum err ask_insight(struct asker *asker, const struct insight *insight, enum insight_from from,
                            const char *missing, json_t *list)
{
    struct sql_result *result = NULL;
    enum err err = *missing ? err_note(ERR_NOT_FOUND, "%s", missing)
                            : insight_ask_prepared(asker->config, asker->sql, insight, from, &result);
    json_t *one;

    if (asker->stopped) {
        sql_result_free(result);
        return err_note(ERR_STOPPED, "the dashboard is stopping");
    }
    one = err ? json_pack("{s:[], s:[], s:b, s:s}", "columns", "rows", "truncated", 0, "note", err_sentence())
              : api_result(result, ASK_ROWS_MOST);
    sql_result_free(result);
    if (!one || json_object_set_new(one, "name", json_string(insight->name)) ||
        json_object_set_new(one, "title", json_string(insight->title)) || json_array_append_new(list, one))
        return err_note(ERR_NO_MEMORY, "out of memory for the answers");
    return ERR_OK;
}

static enum err ask_insights(struct asker *asker, enum insight_from from, struct answer *answer,
                             const char *versions)
{
    struct arena arena = arena_init(QUESTIONS_BYTES_MOST);
    struct insight *insights = NULL;
    char missing[400] = "";
    size_t count = 0;
    int64_t start = clock_steady_ms();
    json_t *list = json_array();
    enum err err = insight_list(asker->config, &arena, &insights, &count);

    if (!err)
        err = insight_prepare(asker->config, asker->disk, asker->sql, from);
    if (err == ERR_NOT_FOUND) { /* no rows yet: that is an answer too */
        snprintf(missing, sizeof(missing), "%s", err_sentence());
        err = ERR_OK;
    }
    for (size_t i = 0; i < count && !err; i++)
        err = ask_insight(asker, &insights[i], from, missing, list);
    if (!err)
        err = keep(answer, versions, list, start);
    json_decref(list);
    arena_release(&arena);
    return err;
}

enum err asker_insights(struct asker *asker, enum insight_from from, struct buf *out)
{
    char versions[320];
    struct answer *answer;
    enum err err = take_turn(asker);

    if (err)
        return err;
    answer = answer_of(asker, from == INSIGHT_FROM_STREAMS ? "insights of streams" : "insights of tables");
    err = versions_of(asker, from, versions, sizeof(versions));
    if (!err && !still_good(answer, versions))
        err = ask_insights(asker, from, answer, versions);
    if (!err)
        err = buf_add_bytes(out, buf_bytes(&answer->text));
    end_turn(asker);
    return err;
}

/* ---- newest rows ---- */

static bool has_column(const struct sql_result *result, const char *name)
{
    for (size_t i = 0; i < sql_columns(result); i++)
        if (strcmp(sql_column_name(result, i), name) == 0)
            return true;
    return false;
}

/* All columns; bytes as the text that they are, where they are text. */
static enum err select_list(const struct sql_result *columns, struct buf *out)
{
    enum err err = buf_add_char(out, '*');
    bool first = true;

    for (size_t i = 0; i < sql_columns(columns) && !err; i++) {
        const char *name = sql_column_name(columns, i);
        if (strcmp(sql_column_type(columns, i), "BLOB") != 0 || strchr(name, '"'))
            continue;
        err = buf_printf(out, "%s coalesce(TRY(decode(\"%s\")), \"%s\"::VARCHAR) AS \"%s\"",
                         first ? " REPLACE (" : ",", name, name, name);
        first = false;
    }
    return err || first ? err : buf_add_char(out, ')');
}

/* Where the newest rows begin is found on two narrow columns, so that of a long table only the row groups that hold
 * them are read whole. */
static enum err from_the_edge(struct asker *asker, const char *from, size_t limit, struct buf *where)
{
    const char *order = "ORDER BY _ingested_at DESC, _offset DESC";
    struct sql_result *edge = NULL;
    enum err err = sql_queryf(asker->sql, &edge, "SELECT _ingested_at::VARCHAR, _offset FROM %s %s LIMIT %zu",
                              from, order, limit);

    if (!err && sql_rows(edge) > 0) {
        size_t last = sql_rows(edge) - 1;
        struct bytes time = sql_text(edge, last, 0);
        err = buf_printf(where,
                         "WHERE _ingested_at >= '%.*s' AND (_ingested_at > '%.*s' OR _offset >= %lld) %s",
                         (int)time.size, (const char *)time.at, (int)time.size, (const char *)time.at,
                         (long long)sql_integer(edge, last, 1), order);
    }
    sql_result_free(edge);
    return err;
}

/* Tables without the columns of a record (answers) are taken from the top. */
static enum err newest_query(struct asker *asker, const char *from, size_t limit, struct sql_result **out)
{
    struct sql_result *columns = NULL;
    struct buf list = buf_init(64 << 10), where = buf_init(4 << 10);
    enum err err = sql_queryf(asker->sql, &columns, "SELECT * FROM %s LIMIT 0", from);

    if (!err)
        err = select_list(columns, &list);
    if (!err && has_column(columns, "_ingested_at") && has_column(columns, "_offset"))
        err = from_the_edge(asker, from, limit, &where);
    if (!err && (!buf_text(&list) || !buf_text(&where)))
        err = err_note(ERR_NO_MEMORY, "out of memory for a question");
    if (!err)
        err = sql_queryf(asker->sql, out, "SELECT %s FROM %s %s LIMIT %zu", buf_text(&list), from,
                         buf_text(&where), limit);
    sql_result_free(columns);
    buf_release(&list);
    buf_release(&where);
    return err;
}

static enum err ask_newest(struct asker *asker, struct held_table *held, size_t limit, struct answer *answer,
                           const char *version)
{
    struct buf scan = buf_init(ANSWER_BYTES_MOST);
    struct sql_result *result = NULL;
    int64_t start = clock_steady_ms();
    json_t *json = NULL;
    enum err err = table_scan(held->table, -1, &scan);

    if (!err && !buf_text(&scan))
        err = err_note(ERR_NO_MEMORY, "out of memory for a look at table %s", held->name);
    if (!err)
        err = newest_query(asker, buf_text(&scan), limit, &result);
    if (!err) {
        json = api_result(result, limit);
        if (json)
            json_object_set_new(json, "table", json_string(held->name));
        err = keep(answer, version, json, start);
    }
    json_decref(json);
    sql_result_free(result);
    buf_release(&scan);
    return err;
}

enum err asker_newest(struct asker *asker, const char *table, size_t limit, struct buf *out)
{
    struct held_table *held = NULL;
    struct answer *answer;
    char key[320], version[32];
    enum err err = take_turn(asker);

    if (err)
        return err;
    err = hold(asker, table, &held);
    if (err)
        goto out;
    snprintf(key, sizeof(key), "newest %zu of %s", limit, table);
    snprintf(version, sizeof(version), "%lld", (long long)table_version(held->table));
    answer = answer_of(asker, key);
    if (!still_good(answer, version))
        err = ask_newest(asker, held, limit, answer, version);
    if (!err)
        err = buf_add_bytes(out, buf_bytes(&answer->text));
out:
    end_turn(asker);
    return err;
}

/* ---- rows per topic ---- */

static enum err count_topics(struct asker *asker, struct held_table *held)
{
    struct buf scan = buf_init(ANSWER_BYTES_MOST);
    struct sql_result *result = NULL;
    int64_t start = clock_steady_ms(), now;
    enum err err = table_scan(held->table, -1, &scan);

    if (!err && !buf_text(&scan))
        err = err_note(ERR_NO_MEMORY, "out of memory for a look at table %s", held->name);
    if (!err)
        err = sql_queryf(asker->sql, &result, "SELECT _topic, count(*) FROM %s GROUP BY _topic LIMIT %d",
                         buf_text(&scan), COUNTS_MOST);
    if (!err) {
        held->count = sql_rows(result);
        held->counted_version = table_version(held->table);
        for (size_t i = 0; i < held->count; i++) {
            struct bytes topic = sql_text(result, i, 0);
            snprintf(held->counts[i].topic, sizeof(held->counts[i].topic), "%.*s", (int)topic.size,
                     (const char *)topic.at);
            held->counts[i].rows = sql_integer(result, i, 1);
        }
    }
    now = clock_steady_ms();
    held->count_next_ms = now + (now - start) * PAUSE_SHARE;
    sql_result_free(result);
    buf_release(&scan);
    return err;
}

enum err asker_topic_rows(struct asker *asker, const char *table, int64_t version, const char *topic,
                          int64_t *rows)
{
    struct held_table *held = NULL;
    enum err err = ERR_OK;

    if (pthread_mutex_trylock(&asker->turn))
        return err_note(ERR_BUSY, "another question is still running");
    for (size_t i = 0; i < asker->held_count; i++)
        if (strcmp(asker->held[i]->name, table) == 0)
            held = asker->held[i];
    if (!held || (held->counted_version < version && clock_steady_ms() >= held->count_next_ms))
        err = hold(asker, table, &held);
    if (!err && held->counted_version < version && clock_steady_ms() >= held->count_next_ms)
        err = asker->stopped ? err_note(ERR_STOPPED, "the dashboard is stopping") : count_topics(asker, held);
    if (!err && held->counted_version < 0)
        err = err_note(ERR_BUSY, "table %s is not counted yet", table);
    if (!err)
        *rows = 0;
    for (size_t i = 0; !err && i < held->count; i++)
        if (strcmp(held->counts[i].topic, topic) == 0)
            *rows = held->counts[i].rows;
    end_turn(asker);
    return err;
}
