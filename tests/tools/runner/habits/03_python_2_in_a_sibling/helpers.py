import os


def say(text):
    print text
