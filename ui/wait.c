/* SPDX-License-Identifier: MIT */
/* A thin layer over poll(). Never blocks on a descriptor, whether its owner made it non-blocking or not. */
#include "ui/wait.h"
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { INPUT, OUTPUT, SIGNAL, WAKE, END, WAITS };

void wait_for(struct wait *wait, usec_t timeout)
{
    struct pollfd polls[WAITS] = {[INPUT] = {wait->input, POLLIN, 0},
                                  [OUTPUT] = {wait->output, POLLOUT, 0},
                                  [SIGNAL] = {wait->signal_fd, POLLIN, 0},
                                  [WAKE] = {wait->wake_fd, POLLIN, 0},
                                  [END] = {wait->end_fd, POLLIN, 0}};
    usec_t ms = (timeout + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
    if (poll(polls, WAITS, ms > 60000 ? 60000 : (int)ms) <= 0)
        return;
    wait->hung_up = polls[INPUT].revents & (POLLHUP | POLLERR | POLLNVAL);
    wait->signaled = polls[SIGNAL].revents & POLLIN;
    wait->ended = polls[END].revents & (POLLIN | POLLHUP);
    uint64_t count;
    if (polls[WAKE].revents & POLLIN && read(wait->wake_fd, &count, sizeof count) < 0)
        return; /* another reader was quicker */
}

int wait_signal(int signal_fd)
{
    struct pollfd ready = {signal_fd, POLLIN, 0};
    struct signalfd_siginfo info;
    if (poll(&ready, 1, 0) != 1 || read(signal_fd, &info, sizeof info) != sizeof info)
        return 0;
    return (int)info.ssi_signo;
}
