// One worker: a thread with everything it owns, and its turn. Created and joined by the main
// thread; everything between is its own. Other threads reach it through its mailbox alone.
#ifndef TIDEGATE_APP_WORKER_H
#define TIDEGATE_APP_WORKER_H

#include "tidegate/admin/admin.h"
#include "tidegate/api/api.h"
#include "tidegate/base/metrics.h"
#include "tidegate/endpoint/websocket.h"
#include "tidegate/net/listener.h"

#include "listeners.h"
#include "routes.h"
#include "secrets.h"

// What all workers are made with; borrowed, owned by the main thread.
struct worker_shared {
    struct hub *hub;
    struct broker *broker;
    struct census *census;
    struct listeners *listeners;
    struct secrets *secrets; // of the snapshot in use; the main thread's alone
    struct mailbox **mailboxes;
    struct metrics **metrics;
    _Atomic int64_t *heartbeats_ms; // by worker: when its last turn began
    _Atomic int readiness;          // enum admin_readiness
    _Atomic unsigned running;       // workers whose thread has not ended
    unsigned worker_count;
    int64_t started_wall_ms; // since 1970
    struct api_node node;
};

enum worker_stage { WORKER_RUNNING, WORKER_DRAINING, WORKER_STOPPED };

struct worker {
    unsigned id;
    pthread_t thread;
    struct worker_shared *shared; // borrowed
    struct loop loop;
    struct timers timers;
    struct mailbox mailbox;
    struct net net;
    struct slots slots;
    struct fanout fanout;
    struct session_worker session;
    struct websocket_worker websocket;
    struct http_server http;
    struct api_worker api;
    struct admin_worker admin;
    struct routes *routes;
    struct cidr_set *proxies;   // owned; trusted to tell whose a request is
    struct secrets *secrets;    // counted; what the listeners' TLS is borrowed from
    struct list retired;        // routes of earlier snapshots that a request may still use
    struct listener *listeners; // owned array
    struct timer tick;          // once a second: sweeping, gauges
    struct timer drain;         // the next closes of a stop
    enum worker_stage stage;
    int64_t drain_ends_ms; // when the last stream is asked to close
    int64_t flush_ends_ms; // when whoever is left is cut off
    size_t drain_left;     // streams not asked yet
    size_t lag_count;      // publications of this turn whose lag is still to be counted
    struct {
        int64_t time_us;
        uint32_t deliveries;
    } lags[64];
};

// A CONFIG message: the snapshot a worker is to use from now on.
struct config_message {
    struct message message;
    struct config *config;   // counted
    struct secrets *secrets; // counted
};

// Prepares the worker (main thread) without starting it: 0 or -errno.
int worker_init(struct worker *worker, unsigned id, struct worker_shared *shared,
                struct config *config) ATTR_MUST_CHECK;

// Starts its thread: 0 or -errno.
int worker_start(struct worker *worker) ATTR_MUST_CHECK;

// Posts a STOP: drain and end. Any thread.
void worker_post_stop(struct worker *worker);

// Posts a new snapshot, and the secrets that are shared now. Main thread.
void worker_post_config(struct worker *worker, struct config *config);

// Waits for the thread's end (main thread).
void worker_join(struct worker *worker);

// Frees what worker_init() made; every worker must have been joined.
void worker_finish(struct worker *worker);

#endif
