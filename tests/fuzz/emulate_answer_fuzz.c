/* Any bytes as a door's answer: a verdict, never more rows than were sent, none taken by a bad status, none left
 * when all are said to be taken. The first two bytes choose mode, form and status. */
#include <stdlib.h>

#include "emulate/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    enum { ROWS = 3 };
    static const long statuses[] = {200, 200, 200, 400, 404, 429, 500, 0};
    struct request request;
    char why[WHY_ROOM] = "";
    enum verdict verdict;
    bool single;
    long status;

    if (size < 2)
        return 0;
    single = at[0] & 2;
    status = statuses[at[1] % 8];
    request_init(&request);
    for (int i = 0; i < (single ? 1 : ROWS); i++)
        if (request_add(&request, i, BYTES("{}")))
            abort();
    verdict = request_judge(&request, at[0] & 1 ? EMULATE_STREAMING : EMULATE_BATCH, single, status,
                            bytes_of(at + 2, size - 2), why);
    if (request.count > ROWS || (verdict == VERDICT_TAKEN) != (request.count == 0) ||
        (status != 200 && verdict == VERDICT_TAKEN) || memchr(why, 0, sizeof(why)) == NULL)
        abort();
    request_release(&request);
    return 0;
}
