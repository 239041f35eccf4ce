/* api.h - figures and results as JSON. docs/dashboard.md says what each member is. New references; NULL: no memory. */
#ifndef DASHBOARD_API_H
#define DASHBOARD_API_H

#include "base/json_doc.h"
#include "base/sql.h"

struct feed_snapshot;

/* The longest text that a cell gives; a longer one ends in an ellipsis. */
enum { API_CELL_BYTES_MOST = 400 };

json_t *api_status(const struct feed_snapshot *snapshot, int64_t now_ms);
/* {"columns": [...], "rows": [[...]], "truncated": bool}: at most `rows_most` rows. */
json_t *api_result(const struct sql_result *result, size_t rows_most);
/* A cell by its SQL type's name: numbers as numbers where they are exact in a double, booleans, null, else text. */
json_t *api_cell(const char *type, struct bytes text);
/* Records a second: whole from 10 on, below with one decimal. */
json_t *api_rate(double rate);
/* {"error": name, "message": sentence} */
json_t *api_error(const char *name, const char *sentence);

/* `text` as a number in least..most; `fallback` when it is NULL. ERR_INVALID: no such number. */
enum err api_number(const char *text, int64_t least, int64_t most, int64_t fallback, int64_t *out);

#endif
