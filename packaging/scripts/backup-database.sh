#!/bin/sh
PATH=$(dirname "$0"):$PATH exec backup-database "$@"
