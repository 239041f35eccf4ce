/* Answers come from outside: any bytes must be refused, or cut into views that can be read. */
#include "aws/kinesis_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

/* Touch every byte, so that the sanitizer sees a view of what is not there. */
static void read_all(struct bytes bytes)
{
    volatile uint8_t byte;

    for (size_t i = 0; i < bytes.size; i++) {
        byte = bytes.at[i];
        (void)byte;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    struct kinesis_cut cut = kinesis_cut_init();
    struct buf ids = buf_init(1 << 20), token = buf_init(1 << 20);
    struct bytes body = bytes_of(at, size);
    size_t count = 0;

    if (!kinesis_cut_records(&cut, body))
        for (size_t i = 0; i < cut.count; i++) {
            read_all(cut.records[i].data);
            read_all(cut.records[i].partition_key);
            read_all(cut.records[i].sequence_number);
        }
    (void)kinesis_cut_shards(body, &ids, &count, &token);
    (void)kinesis_cut_iterator(body, &token);
    (void)kinesis_cut_error(400, body);
    kinesis_cut_release(&cut);
    buf_release(&ids);
    buf_release(&token);
    return 0;
}
