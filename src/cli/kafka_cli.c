/* kafka_cli.c - librdkafka, as the commands use it. */
#include "cli/kafka_cli.h"

#include <stdio.h>

enum { METADATA_TIMEOUT_MS = 5000 };

enum err kafka_cli_address(const struct config *config, char out[300])
{
    const char *servers = config_text(config, "bootstrap.servers");

    if (!*servers)
        return config_door(config, "kafka", out);
    snprintf(out, 300, "%s", servers);
    return ERR_OK;
}

static void drop_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
}

enum err kafka_cli_open(rd_kafka_t **out, const struct config *config, rd_kafka_type_t type,
                        const char *const *settings)
{
    char address[300], reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum err err = kafka_cli_address(config, address);

    if (err)
        goto out;
    rd_kafka_conf_set_log_cb(conf, drop_log);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", address, reason, sizeof(reason)) ||
        rd_kafka_conf_set(conf, "client.id", "pinrail", reason, sizeof(reason)) ||
        rd_kafka_conf_set(conf, "broker.address.ttl", "0", reason, sizeof(reason))) {
        err = err_note(ERR_INVALID, "librdkafka: %s", reason);
        goto out;
    }
    for (; settings && *settings; settings += 2) {
        if (rd_kafka_conf_set(conf, settings[0], settings[1], reason, sizeof(reason))) {
            err = err_note(ERR_INVALID, "librdkafka: %s", reason);
            goto out;
        }
    }
    *out = rd_kafka_new(type, conf, reason, sizeof(reason));
    if (!*out) {
        err = err_note(ERR_NO_MEMORY, "librdkafka: %s", reason);
        goto out;
    }
    conf = NULL; /* the client's now */
out:
    if (conf)
        rd_kafka_conf_destroy(conf);
    return err;
}

enum err kafka_cli_error(rd_kafka_resp_err_t code, const char *what)
{
    enum err err = ERR_IO;

    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return ERR_OK;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        err = ERR_NOT_FOUND;
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
        err = ERR_EXISTS;
        break;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
        err = ERR_UNREACHABLE;
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
        err = ERR_INVALID;
        break;
    default:
        break;
    }
    return err_note(err, "%s: %s", what, rd_kafka_err2str(code));
}

enum err kafka_cli_metadata(rd_kafka_t *kafka, const struct config *config, const char *topic,
                            const struct rd_kafka_metadata **out)
{
    rd_kafka_topic_t *handle = topic ? rd_kafka_topic_new(kafka, topic, NULL) : NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(kafka, topic == NULL, handle, out, METADATA_TIMEOUT_MS);
    char address[300] = "";

    if (handle)
        rd_kafka_topic_destroy(handle);
    if (!code)
        return ERR_OK;
    if (kafka_cli_address(config, address))
        return ERR_UNREACHABLE;
    return err_note(ERR_UNREACHABLE,
                    "no Kafka answers at %s (%s); start `pinrail serve`, or set bootstrap.servers", address,
                    rd_kafka_err2str(code));
}
