/* rest.h - what the files of the REST door share. */
#ifndef GATEWAY_REST_H
#define GATEWAY_REST_H

#include "gateway/http_door.h"

/* Begin an answer in a media type the client takes; false: it takes none of ours, and the answer says so
 * (406). */
bool rest_answer(struct call *call, unsigned status);
/* The answer for an error of the log; its sentence is that of err_note(). */
void rest_fail(struct call *call, enum err err);
/* A partition number of the path; false: there is none such, and the answer says so (404/40402). */
bool rest_partition(struct call *call, struct bytes text, const struct topic_info *topic, int32_t *out);

handler rest_produce, rest_produce_partition;

#endif
