/* request.h - one request's rows, its body, and what the door's answer says of each row. */
#ifndef EMULATE_REQUEST_H
#define EMULATE_REQUEST_H

#include "emulate/emulate.h"

enum { REQUEST_BODY_MOST = 256 * 1024 * 1024, WHY_ROOM = 400 };

struct request_row {
    int64_t index;
    size_t at, size; /* in `text` */
};

struct request {
    struct buf text;          /* the rows, one behind the other */
    struct request_row *rows; /* those not acknowledged yet */
    size_t count, room;
    struct buf body;
};

void request_init(struct request *request);
void request_release(struct request *request);
/* Forget all rows. */
void request_clear(struct request *request);
/* Copies `row`. */
enum err request_add(struct request *request, int64_t index, struct bytes row);
/* Write the body for the rows there are. `stream`: the stream's name; not needed in batch mode. `single`: the form of
 * /record, for exactly one row. */
enum err request_render(struct request *request, enum emulate_mode mode, bool single, const char *stream);

enum verdict {
    VERDICT_TAKEN,   /* every row is acknowledged */
    VERDICT_AGAIN,   /* the rows left in the request are to be sent again, after a while */
    VERDICT_REFUSED, /* sending them again would not help */
};

/* Judge an answer, taking acknowledged rows out of the request. `why` gets a reason for the other verdicts. */
enum verdict request_judge(struct request *request, enum emulate_mode mode, bool single, long status,
                           struct bytes answer, char why[WHY_ROOM]);

#endif
