#!/bin/sh
echo "$1" > launched.txt
