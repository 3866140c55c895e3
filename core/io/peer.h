/* SPDX-License-Identifier: PostgreSQL */
/* peer.h - how a server shows itself over TLS: which version it speaks, until when its certificate is good.
 *
 * For `sfb doctor`, which has talked to the server already. One request without credentials, verified as http.h does
 * it, through proxies where there are any; bounded by 10 seconds.
 */
#pragma once
#include <stdbool.h>
#include <time.h>

struct peer {
    char version[16]; /* "TLSv1.3" */
    time_t until;     /* the end of its certificate; 0: not known */
};

/* false: not known: plain http, no connection, or libcurl speaks TLS with another library than mbedTLS. ca_bundle NULL:
 * the host's, else ours. */
bool peer_look(const char *url, const char *ca_bundle, struct peer *out);
