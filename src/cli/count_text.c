/* count_text.c - numbers as people read them. Apart from count.c, which needs tables: progress needs none. */
#include "cli/count.h"

#include <stdio.h>

const char *count_text(int64_t number)
{
    static _Thread_local char texts[8][32];
    static _Thread_local unsigned next;
    char *text = texts[next++ % 8], plain[32];
    int digits = snprintf(plain, sizeof(plain), "%lld", (long long)number), at = 0;

    for (int i = 0; i < digits; i++) {
        text[at++] = plain[i];
        if ((digits - i) % 3 == 1 && i + 1 < digits && plain[i] != '-')
            text[at++] = ',';
    }
    text[at] = 0;
    return text;
}
