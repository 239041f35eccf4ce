/* gateway.h - the front doors: they speak, they keep nothing.                     emulate -> [gateway] -> log
 *
 * Each door is a thread with one event loop: decode, ask the log, park the answer until the commit that holds its
 * records, encode. The HTTP door (libmicrohttpd) speaks Kafka REST Proxy v2, Kinesis JSON 1.1 and the API-Gateway
 * routes; the Kafka door (libevent) speaks the Kafka protocol. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "base/config.h"
#include "log/log.h"

struct http_door;
struct kafka_door;

/* Listen and answer until stopped. The log and the configuration must outlive the door.
 * ERR_IO: the note says which address could not be had and why. */
enum err http_door_start(struct http_door **out, const struct config *config, struct log *log);
/* Takes no new connections, answers what is parked (5 s at most), then ends. Accepts NULL. */
void http_door_stop(struct http_door *door);
int http_door_port(const struct http_door *door);

enum err kafka_door_start(struct kafka_door **out, const struct config *config, struct log *log);
void kafka_door_stop(struct kafka_door *door);
int kafka_door_port(const struct kafka_door *door);

#endif
