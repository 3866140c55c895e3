#!/bin/sh
PATH=$(dirname "$0"):$PATH exec test-restore "$@"
