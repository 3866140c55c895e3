/* SPDX-License-Identifier: PostgreSQL */
/* os_signal.c - the signals that ask for the end, noted instead of obeyed. */
#include "core/base/os.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define CAUGHT (sizeof caught / sizeof caught[0])

/* Written by a handler, on whichever thread it runs, and read by all. */
static atomic_int came;
static atomic_bool shielded;
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "what a signal handler touches must need no lock");

static void note(int number)
{
    int none = 0;

    atomic_compare_exchange_strong(&came, &none, number); /* the first tells why we end */
}

static void set_handler(int number, void (*handler)(int))
{
    struct sigaction action = { 0 }; /* no SA_RESTART: blocking calls are to return */

    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static bool is_ignored(int number)
{
    struct sigaction old;

    return sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
}

void os_signals_catch(void)
{
    for (size_t i = 0; i < CAUGHT; i++)
        if (!(caught[i] == SIGHUP && is_ignored(SIGHUP))) /* nohup sfb backup & */
            set_handler(caught[i], note);
    set_handler(SIGPIPE, SIG_IGN);
}

void os_signals_default(void)
{
    sigset_t none;

    for (size_t i = 0; i < CAUGHT; i++)
        if (!(caught[i] == SIGHUP && is_ignored(SIGHUP)))
            set_handler(caught[i], SIG_DFL);
    set_handler(SIGPIPE, SIG_DFL);
    came = 0;
    sigemptyset(&none);
    if (shielded) { /* what a terminal sends to everybody; SIGTERM still ends a child, or we could not */
        sigaddset(&none, SIGINT);
        sigaddset(&none, SIGQUIT);
        sigaddset(&none, SIGHUP);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void os_signals_shield(bool on)
{
    shielded = on;
}

int os_interrupted(void)
{
    return shielded ? 0 : came;
}

int os_check_interrupt(struct err *err)
{
    int number = os_interrupted();

    if (!number)
        return 0;
    if (err && err->class == ERR_NONE)
        err->signal = number;
    return err_set(err, ERR_SIGNAL, "stopped by %s",
                   number == SIGINT    ? "Ctrl-C (SIGINT)"
                   : number == SIGTERM ? "SIGTERM"
                   : number == SIGHUP  ? "SIGHUP: the terminal is gone"
                                       : "SIGQUIT");
}
