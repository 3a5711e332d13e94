/* SPDX-License-Identifier: MIT */
/* ascale-load: command line -> plan -> run -> exit status. */
#include "base/file.h"
#include "load/run.h"

#include <curl/curl.h>

int main(int argc, char **argv)
{
    static struct load_options options;
    file_fill_standard();
    int status = load_options_read(&options, argc, argv);
    if (status >= 0)
        return status;
    struct load_plan *plan = load_plan_new(&options, &status);
    if (!plan)
        return status;
    curl_global_init(CURL_GLOBAL_DEFAULT); /* before any thread */
    status = run_load(plan);
    curl_global_cleanup();
    load_plan_free(plan);
    return status;
}
