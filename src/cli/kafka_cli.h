/* kafka_cli.h - what the commands that speak to a Kafka share: ours, or the one `bootstrap.servers` names. */
#ifndef CLI_KAFKA_CLI_H
#define CLI_KAFKA_CLI_H

#include <librdkafka/rdkafka.h>

#include "cli/cli.h"

/* A client of that type for the configuration's Kafka, with settings `name, value, ..., NULL` on top. Its own logging
 * is off. ERR_UNREACHABLE, ERR_INVALID. The caller destroys *out. */
enum err kafka_cli_open(rd_kafka_t **out, const struct config *config, rd_kafka_type_t type,
                        const char *const *settings);
/* Ask for all topics, or one (`topic` not NULL). ERR_UNREACHABLE says where it looked and what to do. The caller
 * destroys *out. */
enum err kafka_cli_metadata(rd_kafka_t *kafka, const struct config *config, const char *topic,
                            const struct rd_kafka_metadata **out);
/* HOST:PORT of the Kafka we speak to. */
enum err kafka_cli_address(const struct config *config, char out[300]);
/* Turn a librdkafka code into ours, with a note. */
enum err kafka_cli_error(rd_kafka_resp_err_t code, const char *what);

#endif
