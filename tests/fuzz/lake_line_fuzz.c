/* Any bytes as a lake line must be refused or read without harm; any bytes as a value must come back from their line. */
#include <assert.h>

#include "lake/lake.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    struct buf line = buf_init(1 << 24), scratch = buf_init(1 << 24);
    struct bytes value;
    bool is_json;

    (void)lake_line_value(bytes_of(at, size), &scratch, &value, &is_json);
    buf_clear(&scratch);
    if (!lake_line(bytes_of(at, size), &line)) {
        assert(memchr(line.at, '\n', line.size) == line.at + line.size - 1);
        assert(!lake_line_value(buf_bytes(&line), &scratch, &value, &is_json));
        assert(value.at);
        assert(is_json || bytes_equal(value, bytes_of(at, size)));
    }
    buf_release(&line);
    buf_release(&scratch);
    return 0;
}
