/* serve_ingest.c - the ingest process: the log and the doors before it. Small, bounded memory, no SQL. */
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/trace.h"
#include "cli/cli.h"
#include "cli/serve.h"
#include "gateway/gateway.h"

/* Make what the pipeline expects to be there: a topic and a stream for each kind of record. */
static enum err make_topics(const struct config *config, struct log *log)
{
    /* A Kinesis record may be 1 MiB of data and key; its batch is a little larger. */
    static const struct topic_setting stream_settings[] = {{"max.message.bytes", "10486784"}};
    char *entities = strdup(config_text(config, "entities")), *rest = entities;
    enum err err = entities ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory");

    for (char *entity; !err && (entity = strsep(&rest, ", "));) {
        char name[TOPIC_NAME_MOST + 1];
        if (!*entity)
            continue;
        snprintf(name, sizeof(name), "%s.%s", config_text(config, "user"), entity);
        err = log_topic_create(log, name, (int32_t)config_integer(config, "num.partitions"), NULL, 0);
        if (!err || err == ERR_EXISTS) {
            snprintf(name, sizeof(name), "streaming-%s-%s", config_text(config, "user"), entity);
            err = log_topic_create(log, name, 1, stream_settings, 1);
        }
        if (err == ERR_EXISTS)
            err = ERR_OK;
    }
    free(entities);
    return err;
}

int serve_ingest(const struct config *config)
{
    struct log_options options = {
        .dir = config_path(config, "log"),
        .disk = disk_real(),
        .segment_bytes = config_integer(config, "log.segment.bytes"),
        .message_max_bytes = (size_t)config_integer(config, "message.max.bytes"),
    };
    struct log *log = NULL;
    struct http_door *http = NULL;
    struct kafka_door *kafka = NULL;
    int64_t start = clock_steady_ms();
    enum err err = serve_check_address(config, "http");

    if (!err)
        err = serve_check_address(config, "kafka");
    if (!err)
        err = disk_make_dirs(disk_real(), config_path(config, "run"));
    if (!err)
        err = log_open(&log, &options);
    if (!err) /* the folder is ours now; and nobody has seen yet that we are ready */
        err = serve_note(config, "ingest.pid", getpid());
    if (!err)
        err = make_topics(config, log);
    if (!err)
        err = kafka_door_start(&kafka, config, log);
    if (!err)
        err = serve_note(config, "kafka.port", kafka_door_port(kafka));
    if (!err)
        err = http_door_start(&http, config, log);
    if (!err)
        err = serve_note(config, "http.port", http_door_port(http));
    if (!err)
        trace_info("ingest", "serving HTTP on port %d and Kafka on port %d after %lld ms",
                   http_door_port(http), kafka_door_port(kafka), (long long)(clock_steady_ms() - start));
    while (!err && !cli_stop)
        clock_sleep_ms(100);
    http_door_stop(http);
    kafka_door_stop(kafka);
    if (log)
        unlink(config_path(config, "run/ingest.pid"));
    log_close(log);
    return err ? cli_fail(err) : EX_OK;
}
