"""What the contracts have in common."""


class ContractError(Exception):
    """The script is not what its contract asks for; the text says what is missing."""


class ContractRun:
    """One run of a script as its contract has it. `named` collects what the script names as its results."""

    def __init__(self, job, named):
        self.job = job
        self.named = named

    def prepare(self):
        """Whatever comes before the script and is not the script's."""

    def execute(self, finder):
        """Runs the script and returns its result; raises what the script raises."""
        raise NotImplementedError

    def after(self, result):
        """The result once more, when the script has ended in whatever way: reads what it names, never raises."""
        try:
            return self.judge(result)
        except Exception as error:  # what the script left behind may be anything
            self.named.remark("what the script named as results could not be read: %s: %s" % (type(error).__name__, error))
            return result

    def judge(self, result):
        return result
