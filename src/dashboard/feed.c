/* feed.c - looks at topics and tables about once a second. */
#include "dashboard/feed.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/trace.h"
#include "dashboard/api.h"
#include "dashboard/offsets.h"

enum {
    LOOK_EVERY_MS = 1000,
    TABLES_SHARE = 10, /* looking at tables takes at most a tenth of the time */
    RATES_KEPT = 300,  /* looks: five minutes */
    SNAPSHOT_BYTES_MOST = 16 << 20,
    ENTITIES_MOST = 16,
};

/* Where a topic was at the look before, and its rates; slots of topics that went away are used again. */
struct history {
    char topic[256];
    int64_t acknowledged;    /* -1: not seen at the last look */
    float rates[RATES_KEPT]; /* a ring, in step with feed.times */
};

struct feed {
    const struct config *config;
    struct disk *disk;
    struct sql *sql; /* the thread's, for the tables' checkpoints */
    struct asker *asker;
    struct offsets *offsets;
    char entities[ENTITIES_MOST][64];
    size_t entity_count;

    struct history history[OFFSETS_TOPICS_MOST];
    size_t history_count;
    int64_t times[RATES_KEPT]; /* wall clock */
    size_t looks;              /* ever taken; the newest is at (looks - 1) % RATES_KEPT */
    int64_t last_look_us;      /* steady */
    int64_t tables_next_ms;    /* steady: when the tables are looked at again */

    pthread_t thread;
    pthread_mutex_t lock; /* over history, times, looks (written by the thread only), snapshot and stopping */
    pthread_cond_t wake;
    bool stopping;
    struct feed_snapshot *snapshot;
};

/* ---- rates ---- */

static struct history *history_of(struct feed *feed, const char *topic)
{
    struct history *unused = NULL;

    for (size_t i = 0; i < feed->history_count; i++) {
        if (strcmp(feed->history[i].topic, topic) == 0)
            return &feed->history[i];
        if (feed->history[i].acknowledged < 0)
            unused = &feed->history[i];
    }
    if (feed->history_count < OFFSETS_TOPICS_MOST)
        unused = &feed->history[feed->history_count++];
    if (unused) {
        memset(unused, 0, sizeof(*unused));
        snprintf(unused->topic, sizeof(unused->topic), "%s", topic);
        unused->acknowledged = -1;
    }
    return unused;
}

/* Under the lock. A topic's first look has nothing to compare with, and one that was made anew starts at 0. */
static void note_rates(struct feed *feed, struct feed_snapshot *snapshot, int64_t now_us)
{
    double seconds = (double)(now_us - feed->last_look_us) / 1e6;
    size_t at = feed->looks % RATES_KEPT;
    bool seen[OFFSETS_TOPICS_MOST] = {false};

    for (size_t i = 0; i < feed->history_count; i++)
        feed->history[i].rates[at] = 0;
    for (size_t i = 0; i < snapshot->topic_count; i++) {
        struct feed_topic *topic = &snapshot->topics[i];
        struct history *history = history_of(feed, topic->topic);
        if (!history)
            continue;
        if (history->acknowledged >= 0 && topic->acknowledged > history->acknowledged && seconds > 0)
            topic->rate = (double)(topic->acknowledged - history->acknowledged) / seconds;
        history->acknowledged = topic->acknowledged;
        history->rates[at] = (float)topic->rate;
        seen[history - feed->history] = true;
    }
    for (size_t i = 0; i < feed->history_count; i++)
        if (!seen[i])
            feed->history[i].acknowledged = -1;
    feed->times[at] = snapshot->measured_ms;
    feed->looks++;
    feed->last_look_us = now_us;
}

/* ---- a look ---- */

/* The first look of all leaves Kafka out, since it may be on its way up too, and being ready need not wait for it. */
static enum err look_at_topics(struct feed *feed, struct feed_snapshot *snapshot)
{
    struct topic_offsets *offsets = NULL;
    size_t count = 0;
    enum err err = feed->snapshot ? offsets_read(feed->offsets, &snapshot->arena, &offsets, &count)
                                  : err_note(ERR_BUSY, "not asked yet");

    snapshot->address = arena_text(&snapshot->arena, bytes_of_text(offsets_address(feed->offsets)));
    snapshot->reachable = !err;
    snapshot->note = arena_text(&snapshot->arena, bytes_of_text(err ? err_sentence() : ""));
    snapshot->topics = arena_take(&snapshot->arena, sizeof(*snapshot->topics) * (count + 1));
    if (!snapshot->address || !snapshot->note || !snapshot->topics)
        return err_note(ERR_NO_MEMORY, "out of memory for the dashboard's figures");
    snapshot->lake_lag = err ? -1 : 0;
    for (size_t i = 0; i < count; i++) {
        snapshot->topics[i] =
            (struct feed_topic){offsets[i].topic, offsets[i].acknowledged, offsets[i].landed, 0};
        if (offsets[i].landed >= 0 && snapshot->lake_lag >= 0 && offsets[i].acknowledged > offsets[i].landed)
            snapshot->lake_lag += offsets[i].acknowledged - offsets[i].landed;
    }
    snapshot->topic_count = count;
    return err;
}

/* When ingest is away: what it had said when it was last there. */
static enum err keep_topics(struct feed_snapshot *snapshot, const struct feed_snapshot *before)
{
    snapshot->topics = arena_take(&snapshot->arena, sizeof(*snapshot->topics) * (before->topic_count + 1));
    if (!snapshot->topics)
        return err_note(ERR_NO_MEMORY, "out of memory for the dashboard's figures");
    for (size_t i = 0; i < before->topic_count; i++) {
        const struct feed_topic *topic = &before->topics[i];
        snapshot->topics[i] = (struct feed_topic){arena_text(&snapshot->arena, bytes_of_text(topic->topic)),
                                                  topic->acknowledged, topic->landed, 0};
        if (!snapshot->topics[i].topic)
            return err_note(ERR_NO_MEMORY, "out of memory for the dashboard's figures");
    }
    snapshot->topic_count = before->topic_count;
    snapshot->measured_ms = before->measured_ms;
    return ERR_OK;
}

static enum err keep_tables(struct feed_snapshot *snapshot, const struct feed_snapshot *before)
{
    snapshot->tables = arena_take(&snapshot->arena, sizeof(*snapshot->tables) * (before->table_count + 1));
    if (!snapshot->tables)
        return err_note(ERR_NO_MEMORY, "out of memory for the dashboard's figures");
    for (size_t i = 0; i < before->table_count; i++) {
        snapshot->tables[i] = before->tables[i];
        snapshot->tables[i].name = arena_text(&snapshot->arena, bytes_of_text(before->tables[i].name));
        if (!snapshot->tables[i].name)
            return err_note(ERR_NO_MEMORY, "out of memory for the dashboard's figures");
    }
    snapshot->table_count = before->table_count;
    return ERR_OK;
}

static enum err look_at_tables(struct feed *feed, struct feed_snapshot *snapshot)
{
    int64_t start = clock_steady_ms(), end;
    enum err err;

    if (feed->snapshot && start < feed->tables_next_ms)
        return keep_tables(snapshot, feed->snapshot);
    err = table_list(feed->disk, feed->sql, config_path(feed->config, "tables"), &snapshot->arena,
                     &snapshot->tables, &snapshot->table_count);
    if (err == ERR_NOT_FOUND) { /* no folder yet: no tables */
        snapshot->table_count = 0;
        err = ERR_OK;
    }
    end = clock_steady_ms();
    feed->tables_next_ms = end + (end - start) * TABLES_SHARE;
    return err;
}

static const struct table_info *table_of(const struct feed_snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->table_count; i++)
        if (strcmp(snapshot->tables[i].name, name) == 0)
            return &snapshot->tables[i];
    return NULL;
}

/* Rows of the table that came from the topic. While another question runs: what was `known` at the look before. */
static int64_t rows_of_topic(struct feed *feed, const struct feed_snapshot *snapshot, const char *table,
                             const char *topic, int64_t known)
{
    const struct table_info *info = table_of(snapshot, table);
    int64_t rows = 0;

    if (!info)
        return 0;
    return asker_topic_rows(feed->asker, table, info->version, topic, &rows) ? known : rows;
}

static void fill_stage(struct feed *feed, struct feed_snapshot *snapshot, struct feed_stage *stage,
                       const struct feed_stage *before)
{
    const char *user = config_text(feed->config, "user");
    bool shared = strcmp(config_text(feed->config, "stream.into"), "table") == 0;
    char topic[400], table[400], quarantine[400];
    const struct table_info *info;

    snprintf(topic, sizeof(topic), stage->stream ? "streaming-%s-%s" : "%s.%s", user, stage->entity);
    snprintf(table, sizeof(table), "%s_%s_%s", user, stage->entity,
             stage->stream && !shared ? "stream" : "table");
    snprintf(quarantine, sizeof(quarantine), "%s_quarantine", user);
    stage->landed = stage->stream || !snapshot->reachable ? -1 : 0;
    stage->acknowledged = snapshot->measured_ms ? 0 : -1;
    for (size_t i = 0; i < snapshot->topic_count; i++) {
        if (strcmp(snapshot->topics[i].topic, topic) != 0)
            continue;
        stage->acknowledged = snapshot->topics[i].acknowledged;
        stage->landed = snapshot->topics[i].landed;
    }
    info = table_of(snapshot, table);
    /* A table's rows are known from its log; only where both ways fill the same one must they be told apart. */
    stage->cleaned = shared ? rows_of_topic(feed, snapshot, table, topic, before->cleaned)
                     : info ? info->rows
                            : 0;
    stage->quarantined = rows_of_topic(feed, snapshot, quarantine, topic, before->quarantined);
}

static enum err fill_stages(struct feed *feed, struct feed_snapshot *snapshot)
{
    snapshot->stages = arena_take(&snapshot->arena, sizeof(*snapshot->stages) * 2 * ENTITIES_MOST);
    if (!snapshot->stages)
        return err_note(ERR_NO_MEMORY, "out of memory for the dashboard's figures");
    for (int stream = 0; stream < 2; stream++) {
        for (size_t i = 0; i < feed->entity_count; i++) {
            const struct feed_stage unknown = {NULL, false, -1, -1, -1, -1};
            size_t at = snapshot->stage_count++; /* the same stage at every look */
            struct feed_stage *stage = &snapshot->stages[at];
            stage->entity = feed->entities[i];
            stage->stream = stream;
            fill_stage(feed, snapshot, stage, feed->snapshot ? &feed->snapshot->stages[at] : &unknown);
        }
    }
    return ERR_OK;
}

static void snapshot_free(struct feed_snapshot *snapshot)
{
    if (!snapshot)
        return;
    arena_release(&snapshot->arena);
    free(snapshot);
}

/* The thread alone replaces the snapshot, so it may read the current one without the lock. */
static void look(struct feed *feed)
{
    struct feed_snapshot *snapshot = calloc(1, sizeof(*snapshot)), *before;
    enum err err, topics;
    int64_t now_us;

    if (!snapshot)
        return;
    snapshot->arena = arena_init(SNAPSHOT_BYTES_MOST);
    snapshot->user = config_text(feed->config, "user");
    topics = look_at_topics(feed, snapshot);
    now_us = clock_steady_us();
    err = topics == ERR_NO_MEMORY ? topics : ERR_OK;
    if (!topics)
        snapshot->measured_ms = clock_wall_ms();
    else if (!err && feed->snapshot)
        err = keep_topics(snapshot, feed->snapshot);
    if (!err)
        err = look_at_tables(feed, snapshot);
    if (!err)
        err = fill_stages(feed, snapshot);
    if (err) {
        trace_warn("dashboard", "the figures stay as they were: %s", err_sentence());
        snapshot_free(snapshot);
        return;
    }
    pthread_mutex_lock(&feed->lock);
    if (!topics)
        note_rates(feed, snapshot, now_us);
    before = feed->snapshot;
    feed->snapshot = snapshot;
    pthread_mutex_unlock(&feed->lock);
    snapshot_free(before);
}

static void *run(void *arg)
{
    struct feed *feed = arg;

    look(feed);
    pthread_mutex_lock(&feed->lock);
    while (!feed->stopping) {
        struct timespec until;
        pthread_mutex_unlock(&feed->lock);
        look(feed);
        pthread_mutex_lock(&feed->lock);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LOOK_EVERY_MS / 1000;
        while (!feed->stopping && pthread_cond_timedwait(&feed->wake, &feed->lock, &until) == 0)
            ;
    }
    pthread_mutex_unlock(&feed->lock);
    return NULL;
}

/* ---- start and stop ---- */

static enum err take_entities(struct feed *feed)
{
    const char *at = config_text(feed->config, "entities");

    while (*at) {
        size_t size = strcspn(at, ", ");
        if (size >= sizeof(feed->entities[0]) || feed->entity_count == ENTITIES_MOST)
            return err_note(ERR_INVALID, "entities: at most %d names of at most 63 letters", ENTITIES_MOST);
        if (size)
            memcpy(feed->entities[feed->entity_count++], at, size);
        at += size;
        at += strspn(at, ", ");
    }
    return ERR_OK;
}

enum err feed_start(struct feed **out, const struct config *config, struct disk *disk, struct sql_db *db,
                    struct asker *asker)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    pthread_condattr_t steady;
    enum err err;

    if (!feed)
        return err_note(ERR_NO_MEMORY, "out of memory for the dashboard's figures");
    feed->config = config;
    feed->disk = disk;
    feed->asker = asker;
    pthread_mutex_init(&feed->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&feed->wake, &steady);
    pthread_condattr_destroy(&steady);
    err = take_entities(feed);
    if (!err)
        err = offsets_open(&feed->offsets, config);
    if (!err)
        err = sql_open(&feed->sql, db);
    if (!err && pthread_create(&feed->thread, NULL, run, feed))
        err = err_note(ERR_NO_MEMORY, "cannot start the dashboard's thread");
    if (err) {
        sql_close(feed->sql);
        offsets_close(feed->offsets);
        pthread_cond_destroy(&feed->wake);
        pthread_mutex_destroy(&feed->lock);
        free(feed);
        return err;
    }
    *out = feed;
    return ERR_OK;
}

void feed_stop(struct feed *feed)
{
    if (!feed)
        return;
    pthread_mutex_lock(&feed->lock);
    feed->stopping = true;
    pthread_cond_signal(&feed->wake);
    pthread_mutex_unlock(&feed->lock);
    pthread_join(feed->thread, NULL);
    sql_close(feed->sql);
    offsets_close(feed->offsets);
    snapshot_free(feed->snapshot);
    pthread_cond_destroy(&feed->wake);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
}

/* ---- readers ---- */

bool feed_is_ready(struct feed *feed)
{
    bool ready;

    pthread_mutex_lock(&feed->lock);
    ready = feed->snapshot != NULL;
    pthread_mutex_unlock(&feed->lock);
    return ready;
}

bool feed_has_table(struct feed *feed, const char *name)
{
    bool has;

    pthread_mutex_lock(&feed->lock);
    has = feed->snapshot && table_of(feed->snapshot, name);
    pthread_mutex_unlock(&feed->lock);
    return has;
}

json_t *feed_status(struct feed *feed)
{
    json_t *status;

    pthread_mutex_lock(&feed->lock);
    status = feed->snapshot ? api_status(feed->snapshot, clock_wall_ms()) : NULL;
    pthread_mutex_unlock(&feed->lock);
    return status;
}

json_t *feed_rates(struct feed *feed)
{
    json_t *times = json_array(), *topics = json_array();
    size_t kept, first;

    pthread_mutex_lock(&feed->lock);
    kept = feed->looks < RATES_KEPT ? feed->looks : RATES_KEPT;
    first = feed->looks - kept;
    for (size_t i = 0; i < kept; i++)
        json_array_append_new(times, json_integer(feed->times[(first + i) % RATES_KEPT]));
    for (size_t t = 0; t < feed->history_count; t++) {
        json_t *rates = json_array();
        if (feed->history[t].acknowledged >= 0)
            for (size_t i = 0; i < kept; i++)
                json_array_append_new(rates, api_rate(feed->history[t].rates[(first + i) % RATES_KEPT]));
        if (feed->history[t].acknowledged >= 0)
            json_array_append_new(topics,
                                  json_pack("{s:s, s:o}", "topic", feed->history[t].topic, "rates", rates));
        else
            json_decref(rates);
    }
    pthread_mutex_unlock(&feed->lock);
    return json_pack("{s:o, s:o}", "times", times, "topics", topics);
}
