/* kafka_door.c - the Kafka door: its socket, its thread, and what wakes it.
 *
 * One thread, one event loop. The log's committer writes to commit_fd after every commit, the group coordinator to
 * group_fd when members may be answered; then parked requests are looked at again. */
#include "gateway/kafka_door.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/trace.h"

enum { STOP_MS = 5000, STOP_LOOK_MS = 10, ACCEPT_PAUSE_MS = 100, BACKLOG = 1024 };

static void set_timer(struct event *timer, int64_t wait_ms)
{
    struct timeval wait = {wait_ms / 1000, wait_ms % 1000 * 1000};

    evtimer_add(timer, &wait);
}

/* ---- what wakes the thread ---- */

static void empty_eventfd(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof(count)) == sizeof(count))
        ;
}

static void on_commit(evutil_socket_t fd, short what, void *arg)
{
    empty_eventfd(fd);
    kafka_look_at_parked(arg);
}

/* Sessions and joins have deadlines; the coordinator says when the next one is. */
static void tick_groups(struct kafka_door *door)
{
    int64_t now_ms = clock_steady_ms(), due_ms = groups_tick(door->groups, now_ms);

    if (due_ms == INT64_MAX)
        evtimer_del(door->group_timer);
    else
        set_timer(door->group_timer, due_ms > now_ms ? due_ms - now_ms : 1);
}

static void on_group_change(evutil_socket_t fd, short what, void *arg)
{
    struct kafka_door *door = arg;

    empty_eventfd(fd);
    tick_groups(door);
    kafka_look_at_parked(door);
}

static void on_group_timer(evutil_socket_t fd, short what, void *arg)
{
    tick_groups(arg);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int size,
                      void *arg)
{
    struct kafka_door *door = arg;

    if (door->connection_count >= door->connections_most) {
        metric_add(door->refused_metric, 1);
        close(fd);
        return;
    }
    if (kafka_connection_open(door, fd))
        trace_warn("kafka", "a client was turned away: %s", err_sentence());
}

/* Out of descriptors, most likely: the connection stays in the backlog, so trying at once would only spin. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct kafka_door *door = arg;

    trace_warn("kafka", "cannot accept a connection: %s; trying again in %d ms", strerror(errno),
               ACCEPT_PAUSE_MS);
    evconnlistener_disable(listener);
    set_timer(door->accept_timer, ACCEPT_PAUSE_MS);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
    struct kafka_door *door = arg;

    if (!door->is_stopping)
        evconnlistener_enable(door->listener);
}

static void on_stop_look(evutil_socket_t fd, short what, void *arg)
{
    struct kafka_door *door = arg;

    if (kafka_is_drained(door))
        event_base_loopbreak(door->base);
    else
        set_timer(door->stop_timer, STOP_LOOK_MS);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct kafka_door *door = arg;
    struct timeval most = {STOP_MS / 1000, STOP_MS % 1000 * 1000};

    empty_eventfd(fd);
    door->is_stopping = true;
    evconnlistener_disable(door->listener);
    for (struct kafka_connection *connection = door->connections; connection; connection = connection->next)
        bufferevent_disable(connection->bev, EV_READ);
    kafka_hurry_parked(door);
    event_base_loopexit(door->base, &most);
    on_stop_look(-1, 0, door);
}

static void *run(void *arg)
{
    struct kafka_door *door = arg;
    sigset_t all;

    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    event_base_dispatch(door->base);
    return NULL;
}

/* ---- start and stop ---- */

static enum err listen_on(struct kafka_door *door, const char *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    char host[256], service[16];
    int port, failed;
    enum err err = config_address(address, host, &port);

    if (err)
        return err;
    snprintf(service, sizeof(service), "%d", port);
    failed = getaddrinfo(host, service, &hints, &found);
    if (failed)
        return err_note(ERR_IO, "the Kafka door cannot listen on %s: %s", address, gai_strerror(failed));
    door->listener = evconnlistener_new_bind(
        door->base, on_accept, door, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
        BACKLOG, found->ai_addr, (int)found->ai_addrlen);
    freeaddrinfo(found);
    if (!door->listener)
        return err_note(ERR_IO, "the Kafka door cannot listen on %s: %s", address, strerror(errno));
    evconnlistener_set_error_cb(door->listener, on_accept_error);
    if (getsockname(evconnlistener_get_fd(door->listener), (struct sockaddr *)&bound, &size) < 0)
        return err_note(ERR_IO, "the Kafka door has no address: %s", strerror(errno));
    door->port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                   : ((struct sockaddr_in *)&bound)->sin_port);
    return ERR_OK;
}

static enum err make_events(struct kafka_door *door)
{
    door->base = event_base_new();
    door->commit_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    door->group_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    door->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!door->base || door->commit_fd < 0 || door->group_fd < 0 || door->stop_fd < 0)
        return err_note(ERR_IO, "the Kafka door has no event loop: %s", strerror(errno));
    door->commit_event = event_new(door->base, door->commit_fd, EV_READ | EV_PERSIST, on_commit, door);
    door->group_event = event_new(door->base, door->group_fd, EV_READ | EV_PERSIST, on_group_change, door);
    door->stop_event = event_new(door->base, door->stop_fd, EV_READ | EV_PERSIST, on_stop, door);
    door->group_timer = evtimer_new(door->base, on_group_timer, door);
    door->stop_timer = evtimer_new(door->base, on_stop_look, door);
    door->accept_timer = evtimer_new(door->base, on_accept_again, door);
    if (!door->commit_event || !door->group_event || !door->stop_event || !door->group_timer ||
        !door->stop_timer || !door->accept_timer)
        return err_note(ERR_NO_MEMORY, "out of memory for the Kafka door");
    event_add(door->commit_event, NULL);
    event_add(door->group_event, NULL);
    event_add(door->stop_event, NULL);
    return log_wake_on_commit(door->log, door->commit_fd);
}

static enum err open_groups(struct kafka_door *door)
{
    struct group_options options = {
        .initial_delay_ms = config_integer(door->config, "group.initial.rebalance.delay.ms"),
        .session_ms_min = config_integer(door->config, "group.min.session.timeout.ms"),
        .session_ms_max = config_integer(door->config, "group.max.session.timeout.ms"),
        .wake_fd = door->group_fd,
    };

    return groups_open(&door->groups, &options);
}

static enum err make_metrics(struct kafka_door *door)
{
    door->connections_metric = metric_gauge("pinrail_kafka_connections", "", "connections of the Kafka door");
    door->refused_metric = metric_counter("pinrail_kafka_refused_total", "",
                                          "connections closed at once, over kafka.connections.max");
    door->in_metric =
        metric_counter("pinrail_kafka_received_bytes_total", "", "bytes of requests to the Kafka door");
    door->out_metric =
        metric_counter("pinrail_kafka_sent_bytes_total", "", "bytes of answers of the Kafka door");
    door->request_metrics = calloc(kafka_api_count, sizeof(*door->request_metrics));
    if (!door->request_metrics)
        return err_note(ERR_NO_MEMORY, "out of memory for the Kafka door");
    for (size_t i = 0; i < kafka_api_count; i++) {
        char labels[64];
        snprintf(labels, sizeof(labels), "api=\"%s\"", kafka_apis[i].name);
        door->request_metrics[i] =
            metric_counter("pinrail_kafka_requests_total", labels, "requests of the Kafka door");
    }
    return ERR_OK;
}

static void door_free(struct kafka_door *door)
{
    struct event *const events[] = {door->commit_event, door->group_event, door->stop_event,
                                    door->group_timer,  door->stop_timer,  door->accept_timer};

    while (door->connections)
        kafka_connection_close(door->connections);
    if (door->listener)
        evconnlistener_free(door->listener);
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
        if (events[i])
            event_free(events[i]);
    if (door->base)
        event_base_free(door->base);
    groups_close(door->groups);
    if (door->commit_fd >= 0)
        log_wake_forget(door->log, door->commit_fd);
    for (int i = 0; i < 3; i++) {
        int fd = (int[]){door->commit_fd, door->group_fd, door->stop_fd}[i];
        if (fd >= 0)
            close(fd);
    }
    free(door->request_metrics);
    free(door);
}

enum err kafka_door_start(struct kafka_door **out, const struct config *config, struct log *log)
{
    struct kafka_door *door = calloc(1, sizeof(*door));
    enum err err;

    if (!door)
        return err_note(ERR_NO_MEMORY, "out of memory for the Kafka door");
    door->config = config;
    door->log = log;
    door->commit_fd = door->group_fd = door->stop_fd = -1;
    door->request_most = (size_t)config_integer(config, "kafka.request.max.bytes");
    door->connections_most = (size_t)config_integer(config, "kafka.connections.max");
    kafka_cluster_id(log, door->cluster_id);
    err = make_metrics(door);
    if (!err)
        err = make_events(door);
    if (!err)
        err = open_groups(door);
    if (!err)
        err = listen_on(door, config_text(config, "kafka"));
    if (!err && pthread_create(&door->thread, NULL, run, door))
        err = err_note(ERR_IO, "the Kafka door has no thread");
    if (err) {
        door_free(door);
        return err;
    }
    *out = door;
    return ERR_OK;
}

void kafka_door_stop(struct kafka_door *door)
{
    uint64_t one = 1;

    if (!door)
        return;
    if (write(door->stop_fd, &one, sizeof(one)) == sizeof(one))
        pthread_join(door->thread, NULL);
    door_free(door);
}

int kafka_door_port(const struct kafka_door *door)
{
    return door->port;
}
