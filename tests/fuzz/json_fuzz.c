/* Any bytes: a checked document can be walked, compacted, its text taken; the compact form is JSON again and
 * is its own compact form. */
#include <stdlib.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static void require(bool what)
{
    if (!what)
        abort();
}

static void visit(struct json_value value, struct buf *out)
{
    struct json_walk walk = json_walk(value);
    struct json_value key, inner;
    enum err err;
    int64_t number;

    buf_clear(out);
    if (value.kind == JSON_STRING) {
        require(json_text(value, out) == ERR_OK && bytes_are_utf8(buf_bytes(out)));
    } else if (value.kind == JSON_NUMBER) {
        (void)json_int64(value, &number);
    }
    while (!(err = json_walk_next(&walk, &key, &inner)))
        visit(inner, out);
    require(err == ERR_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    struct buf out = buf_init(1 << 20), again = buf_init(1 << 20);
    struct json_value value, compact;

    (void)base64_decode(bytes_of(at, size), &out);
    buf_clear(&out);
    require(json_quote(bytes_of(at, size), &out) == ERR_OK &&
            json_check(buf_bytes(&out), &value, NULL) == ERR_OK);
    if (!json_check(bytes_of(at, size), &value, NULL)) {
        visit(value, &again);
        buf_clear(&out);
        require(json_compact(value, &out) == ERR_OK);
        require(json_check(buf_bytes(&out), &compact, NULL) == ERR_OK && compact.kind == value.kind);
        require(compact.plain || value.kind == JSON_STRING);
        require(!value.plain || bytes_equal(value.bytes, compact.bytes));
    }
    buf_release(&out);
    buf_release(&again);
    return 0;
}
