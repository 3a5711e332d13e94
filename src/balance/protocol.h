/* SPDX-License-Identifier: MIT */
/* The control socket of ascale-balance, version 1: a Unix stream socket (mode 0600) the balancer listens on;
 * JSON objects, one a line; any number of reconnects, at most PROTOCOL_CLIENTS_MAX at a time. Losing a
 * connection never touches traffic. Fields may be added to messages; none is taken away.
 *
 * Commands carry an id, which the reply names: {"reply":ID,"ok":true,...} or
 * {"reply":ID,"ok":false,"error":"..."}.
 *
 *   {"id":1,"cmd":"hello","version":1}                  -> version, pid, listen, threads, priority
 *   {"id":2,"cmd":"backends","backends":[{"id":"i1","address":"127.0.0.1:5000","state":"ready"|"spare"|"drain"}]}
 *        -> backends (how many). The absolute set, so sending it twice changes nothing: what is absent is
 *        removed once its requests have ended, "drain" gets no new requests, "spare" only while no ready one
 *        has room. An id with another address is
 *        another backend: stats and events of that id are the new one's alone from then on, and what the old
 *        one has under way ends by itself, counted in the total only
 *   {"id":3,"cmd":"set","key":"algorithm","value":"least_in_flight"}   a live option of [balancer]
 *   {"id":4,"cmd":"stats"}                                    -> what the event stats says, in the reply
 *   {"id":5,"cmd":"subscribe","interval_ms":1000}             stats events to this connection: one at once,
 *        then one at each multiple of the interval on the monotonic clock (usec_beat()); 0 ends them;
 *        with "changes":true one that would repeat the last is {"event":"stats","same":true}
 *   {"id":6,"cmd":"listener"}          the listening socket comes with the reply (SCM_RIGHTS)
 *   {"id":8,"cmd":"control"}           a listening Unix socket comes with it: controllers connect there from
 * now on
 *   {"id":7,"cmd":"stop"}              stop accepting, finish, end
 *
 * Events go to every connection, stats to those that subscribed:
 *
 *   {"event":"stats","version":1,"at_us":..,"pid":..,"priority":..,"total":{..},"backends":[{"id","address",
 *        "state","requests","responses":{"1xx","2xx","3xx","4xx","5xx"},"errors","connect_failures","retries",
 *        "queued","bytes_in","bytes_out","in_flight","in_flight_max","answering","unanswered","heard_at_us","in_flight_sum_us","queue",
 *        "latency_sum_us","latency":[[bucket,count],..]}]}
 *   {"event":"drained","backend":"i1"}               no request is in flight to it, and none will be sent
 *   {"event":"ejected","backend":"i1","cause":".."}  it gets no requests for a while
 *   {"event":"admitted","backend":"i1"}              it gets requests again
 *   {"event":"burst","in_flight":N,"queue":N}        load grows faster than the next stats event would tell
 *
 * Counters are cumulative since the balancer started; total has the sums of all backends there ever were, and
 * connections (open), accepted, rejected (refused by us), unavailable (503 by us, or 502 as none accepts a
 * connection: in no backend's requests), aborted (the client left),
 * queue (waiting now), wait_sum_us and wait (time in the queue). state is "ready", "drain" or "ejected".
 * answering (in flight, and the answer has begun), unanswered (given up at response_timeout) and heard_at_us
 * (the last byte of an answer, monotonic) tell one that is busy from one that is dead. Buckets are those of
 * core/histogram.h, in microseconds. The mean in flight over a period is the growth of in_flight_sum_us by
 * its length: what is under way counts, tunnels too. */
#ifndef BALANCE_PROTOCOL_H
#define BALANCE_PROTOCOL_H

#define PROTOCOL_VERSION      1
#define PROTOCOL_CLIENTS_MAX  8
#define PROTOCOL_LINE_MAX     (1 << 20)
#define PROTOCOL_INTERVAL_MIN 50 /* ms, of subscribe */

#endif
