/* count.c - counts every stage from what it keeps itself: the log's offsets, the objects' lines, the tables' rows. */
#include "cli/count.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "cli/kafka_cli.h"
#include "lake/lake.h"
#include "table/table.h"

enum { COUNTS_MOST = 100000, READ_BYTES = 1 << 20, WATERMARK_TIMEOUT_MS = 5000 };

/* ---- the log ---- */

static enum err count_log(rd_kafka_t *kafka, const struct rd_kafka_metadata *metadata, const char *topic,
                          struct stage_count *like, struct stage_count *out, size_t *count)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *found = &metadata->topics[i];
        if (strcmp(found->topic, topic) != 0)
            continue;
        for (int p = 0; p < found->partition_cnt && *count < COUNTS_MOST; p++) {
            int64_t low = 0, high = 0;
            enum err err =
                kafka_cli_error(rd_kafka_query_watermark_offsets(kafka, topic, found->partitions[p].id, &low,
                                                                 &high, WATERMARK_TIMEOUT_MS),
                                topic);
            if (err)
                return err;
            out[*count] = *like;
            snprintf(out[*count].topic, sizeof(out[*count].topic), "%s", topic);
            out[*count].partition = found->partitions[p].id;
            out[(*count)++].acknowledged = high;
        }
    }
    return ERR_OK;
}

/* ---- the lake ---- */

static enum err count_lines(const char *path, uint8_t *room, int64_t *lines)
{
    struct disk_file *file = NULL;
    enum err err = disk_open(disk_real(), &file, path, DISK_READ);
    off_t offset = 0;
    size_t got = 1;

    while (!err && got > 0) {
        err = disk_read(file, offset, room, READ_BYTES, &got);
        if (err)
            break;
        for (const uint8_t *at = room, *end = room + got; (at = memchr(at, '\n', (size_t)(end - at))); at++)
            (*lines)++;
        offset += (off_t)got;
    }
    disk_close(file);
    return err;
}

static enum err count_lake(const struct config *config, struct stage_count *stage)
{
    struct arena arena = arena_init(SIZE_MAX);
    struct lake_object *objects = NULL;
    size_t object_count = 0;
    int64_t end = 0;
    uint8_t *room = malloc(READ_BYTES);
    enum err err = room ? lake_objects(config, disk_real(), stage->topic, stage->partition, &arena, &objects,
                                       &object_count)
                        : err_note(ERR_NO_MEMORY, "out of memory");

    for (size_t i = 0; !err && i < object_count; i++) {
        int64_t lines = 0;
        err = count_lines(objects[i].path, room, &lines);
        stage->landed += lines;
        if (objects[i].start_offset <
            end) /* objects come ordered by start: what starts before the last end is twice */
            stage->duplicates +=
                end - objects[i].start_offset < lines ? end - objects[i].start_offset : lines;
        if (objects[i].start_offset + lines > end)
            end = objects[i].start_offset + lines;
    }
    free(room);
    arena_release(&arena);
    return err;
}

/* ---- the tables ---- */

/* Is there a view of that name? Asked of the connection, whose views were made at one moment, and not of the folder,
 * where a table may have come into being since. */
static enum err view_is_there(struct sql *sql, const char *name, bool *there)
{
    struct sql_result *result = NULL;
    enum err err = sql_queryf(sql, &result, "SELECT 1 FROM duckdb_views() WHERE view_name = '%s'", name);

    if (!err)
        *there = sql_rows(result) > 0;
    sql_result_free(result);
    return err;
}

static enum err take_rows(const struct sql_result *result, bool aside, struct stage_count *counts,
                          size_t count)
{
    for (size_t row = 0; row < sql_rows(result); row++) {
        struct bytes topic = sql_text(result, row, 0);
        for (size_t i = 0; i < count; i++) {
            if (!bytes_equal(topic, bytes_of_text(counts[i].topic)) ||
                sql_integer(result, row, 1) != counts[i].partition)
                continue;
            *(aside ? &counts[i].quarantined : &counts[i].cleaned) += sql_integer(result, row, 2);
            counts[i].duplicates += sql_integer(result, row, 2) - sql_integer(result, row, 3);
        }
    }
    return ERR_OK;
}

static enum err count_table(const struct config *config, struct sql *sql, const char *name, bool aside,
                            struct stage_count *counts, size_t count)
{
    struct sql_result *result = NULL;
    bool there = false;
    enum err err = view_is_there(sql, name, &there);

    if (err || !there)
        return err;
    err = sql_queryf(sql, &result,
                     "SELECT _topic, _partition, count(*), count(DISTINCT _offset) FROM \"%s\" GROUP BY ALL",
                     name);
    if (!err)
        err = take_rows(result, aside, counts, count);
    sql_result_free(result);
    return err;
}

static enum err count_tables(const struct config *config, struct sql_db *db, struct stage_count *counts,
                             size_t count)
{
    const char *user = config_text(config, "user");
    struct sql *sql = NULL;
    char name[256], done[64] = "";
    enum err err = sql_open(&sql, db);

    if (!err)
        err = table_views(sql, config, disk_real());
    for (size_t i = 0; !err && i < count; i++) {
        if (counts[i].way != COUNT_BATCH || strcmp(counts[i].entity, done) == 0)
            continue;
        snprintf(done, sizeof(done), "%s", counts[i].entity);
        snprintf(name, sizeof(name), "%s_%s_table", user, counts[i].entity);
        err = count_table(config, sql, name, false, counts, count);
        snprintf(name, sizeof(name), "%s_%s_stream", user, counts[i].entity);
        if (!err)
            err = count_table(config, sql, name, false, counts, count);
    }
    snprintf(name, sizeof(name), "%s_quarantine", user);
    if (!err)
        err = count_table(config, sql, name, true, counts, count);
    sql_close(sql);
    return err;
}

/* ---- all of it ---- */

static enum err list_partitions(const struct config *config, struct stage_count *out, size_t *count)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_t *kafka = NULL;
    enum err err = kafka_cli_open(&kafka, config, RD_KAFKA_PRODUCER, NULL);

    if (!err)
        err = kafka_cli_metadata(kafka, config, NULL, &metadata);
    for (enum count_way way = COUNT_BATCH; !err && way <= COUNT_STREAM; way++) {
        char entities[1024];
        snprintf(entities, sizeof(entities), "%s", config_text(config, "entities"));
        for (char *rest = entities, *entity; !err && (entity = strsep(&rest, ", "));) {
            struct stage_count like = {.way = way, .landed = way == COUNT_STREAM ? -1 : 0};
            char topic[256];
            if (!*entity)
                continue;
            snprintf(like.entity, sizeof(like.entity), "%s", entity);
            snprintf(topic, sizeof(topic), way == COUNT_BATCH ? "%s.%s" : "streaming-%s-%s",
                     config_text(config, "user"), entity);
            err = count_log(kafka, metadata, topic, &like, out, count);
        }
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    if (kafka)
        rd_kafka_destroy(kafka);
    return err;
}

enum err count_stages(const struct config *config, struct sql_db *db, bool with_lake, struct arena *arena,
                      struct stage_count **out, size_t *count)
{
    struct stage_count *all = calloc(COUNTS_MOST, sizeof(*all));
    enum err err = all ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory for the counts");

    *count = 0;
    if (!err)
        err = list_partitions(config, all, count);
    if (!err)
        err = count_tables(config, db, all, *count);
    for (size_t i = 0; !err && i < *count; i++) {
        if (all[i].way == COUNT_BATCH && with_lake)
            err = count_lake(config, &all[i]);
        else if (all[i].way == COUNT_BATCH)
            all[i].landed = all[i].acknowledged;
        all[i].agree = all[i].duplicates == 0 && all[i].acknowledged == all[i].cleaned + all[i].quarantined &&
                       (all[i].landed < 0 || all[i].landed == all[i].acknowledged);
    }
    if (!err) {
        *out = arena_take(arena, (*count + 1) * sizeof(**out));
        if (*out)
            memcpy(*out, all, *count * sizeof(**out));
        else
            err = err_note(ERR_NO_MEMORY, "out of memory for the counts");
    }
    free(all);
    return err;
}

bool count_print(const struct stage_count *counts, size_t count)
{
    int64_t acknowledged = 0, landed = 0, cleaned = 0, quarantined = 0, duplicates = 0;
    bool agree = true;

    printf("%-8s %-28s %9s %14s %12s %12s %10s %10s\n", "WAY", "TOPIC", "PARTITION", "ACKNOWLEDGED", "LANDED",
           "CLEANED", "SET ASIDE", "TWICE");
    for (size_t i = 0; i < count; i++) {
        const struct stage_count *stage = &counts[i];
        printf("%-8s %-28s %9d %14s %12s %12s %10s %10s%s\n", stage->way == COUNT_BATCH ? "batch" : "stream",
               stage->topic, stage->partition, count_text(stage->acknowledged),
               stage->landed < 0 ? "-" : count_text(stage->landed), count_text(stage->cleaned),
               count_text(stage->quarantined), count_text(stage->duplicates),
               stage->agree ? "" : "  <- differ");
        acknowledged += stage->acknowledged;
        landed += stage->landed < 0 ? stage->acknowledged : stage->landed;
        cleaned += stage->cleaned;
        quarantined += stage->quarantined;
        duplicates += stage->duplicates;
        agree = agree && stage->agree;
    }
    printf("audit: %s acknowledged %s %s landed or streamed %s %s cleaned + %s set aside, %s twice: %s\n",
           count_text(acknowledged), acknowledged == landed ? "=" : "!=", count_text(landed),
           acknowledged == cleaned + quarantined ? "=" : "!=", count_text(cleaned), count_text(quarantined),
           count_text(duplicates), agree ? "the counts agree" : "THE COUNTS DIFFER");
    return agree;
}
