/* kafka_door.h - what the two halves of the door share: kafka_door.c listens and is woken, kafka_connection.c cuts
 * requests out of sockets and sends answers in order. Threads: the door's own, but for start and stop. */
#ifndef GATEWAY_KAFKA_DOOR_H
#define GATEWAY_KAFKA_DOOR_H

#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netdb.h>
#include <pthread.h>

#include "base/metric.h"
#include "gateway/gateway.h"
#include "gateway/kafka_call.h"

struct kafka_connection {
    struct kafka_connection *next, *before;
    struct kafka_door *door;
    struct bufferevent *bev;
    struct kafka_call *first, *last; /* unanswered, in order of arrival */
    size_t call_count, produce_count;
    char host[NI_MAXHOST]; /* where the client reached us */
    int port;
    char client_host[NI_MAXHOST + 1];
    size_t granted_bytes; /* of the door's room for large requests, for the one being read */
    size_t wanted_bytes;  /* waits for as much; reads nothing meanwhile */
    struct kafka_connection *after_in_line; /* of those that wait for room */
    bool is_due;                            /* a parked call of it was answered */
    bool is_broken;                         /* to be closed at the next look */
};

struct kafka_door {
    pthread_t thread;
    const struct config *config;
    struct log *log;
    struct groups *groups;
    struct event_base *base;
    struct evconnlistener *listener;
    struct event *commit_event, *group_event, *group_timer, *stop_event, *stop_timer, *accept_timer;
    int commit_fd, group_fd, stop_fd;
    int port;
    size_t request_most, connections_most;
    struct kafka_connection *connections;
    size_t connection_count, unsent_bytes;
    size_t granted_bytes; /* room taken by large requests that are being read; see kafka_room.c */
    struct kafka_connection *line;
    struct kafka_call *parked;
    bool is_stopping;
    char cluster_id[KAFKA_CLUSTER_ID_BYTES];
    struct metric *connections_metric, *refused_metric, *in_metric, *out_metric;
    struct metric **request_metrics; /* as kafka_apis */
};

/* Takes the socket over, also when it fails. */
enum err kafka_connection_open(struct kafka_door *door, int fd);
void kafka_connection_close(struct kafka_connection *connection);
/* May this connection hold a request of that many bytes? Otherwise it stands in line, and reads on when it may. */
bool kafka_room_take(struct kafka_connection *connection, size_t bytes);
/* Its large request has been handled, or it goes. Accepts one that has none. */
void kafka_room_give_back(struct kafka_connection *connection);

/* Look at every parked call again, and let their connections go on. */
void kafka_look_at_parked(struct kafka_door *door);
/* When stopping: answer now what waits for anything but a commit. */
void kafka_hurry_parked(struct kafka_door *door);
/* Has everything been answered and sent? */
bool kafka_is_drained(const struct kafka_door *door);

#endif
