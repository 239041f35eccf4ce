/* kafka_room.c - room for large requests.
 *
 * A request is read whole before it is decoded. Small ones fit what every connection may hold anyway; large ones, of all
 * connections together, share a fixed room, or a hundred producers with full batches would be a hundred times
 * kafka.request.max.bytes. Who finds no room stands in line and leaves its bytes in the socket, so that the client slows
 * down. Who holds room must go on sending, and take its answers, or is closed. */
#include "gateway/kafka_door.h"

enum { ROOM_BYTES = 64 << 20, STALLED_SECONDS = 30 };

static bool fits(const struct kafka_door *door, size_t bytes)
{
    size_t room = door->request_most > ROOM_BYTES ? door->request_most : ROOM_BYTES;

    return bytes <= room - door->granted_bytes;
}

static void grant(struct kafka_connection *connection, size_t bytes)
{
    static const struct timeval stalled = {STALLED_SECONDS, 0};

    connection->granted_bytes = bytes;
    connection->door->granted_bytes += bytes;
    bufferevent_set_timeouts(connection->bev, &stalled, &stalled);
}

bool kafka_room_take(struct kafka_connection *connection, size_t bytes)
{
    struct kafka_door *door = connection->door;
    struct kafka_connection **link = &door->line;

    if (connection->granted_bytes || connection->wanted_bytes)
        return !connection->wanted_bytes;
    if (!door->line && fits(door, bytes)) {
        grant(connection, bytes);
        return true;
    }
    while (*link)
        link = &(*link)->after_in_line;
    *link = connection;
    connection->wanted_bytes = bytes;
    bufferevent_disable(connection->bev, EV_READ);
    return false;
}

void kafka_room_give_back(struct kafka_connection *connection)
{
    struct kafka_door *door = connection->door;

    if (connection->wanted_bytes) { /* it goes, and leaves the line */
        struct kafka_connection **link = &door->line;
        while (*link != connection)
            link = &(*link)->after_in_line;
        *link = connection->after_in_line;
        connection->wanted_bytes = 0;
    }
    if (connection->granted_bytes) {
        door->granted_bytes -= connection->granted_bytes;
        connection->granted_bytes = 0;
        bufferevent_set_timeouts(connection->bev, NULL, NULL);
    }
    while (door->line &&
           fits(door, door->line->wanted_bytes)) { /* strictly in turn: a small one must not pass */
        struct kafka_connection *next = door->line;
        door->line = next->after_in_line;
        next->after_in_line = NULL;
        grant(next, next->wanted_bytes);
        next->wanted_bytes = 0;
        if (!door->is_stopping)
            bufferevent_enable(next->bev, EV_READ);
    }
}
