class ReduceLET(object):
    def __init__(self, web_var):
        self.energies = web_var.standard_vars["ei"]

    def run(self, input_file, output_dir):
        for energy in self.energies:
            open("%sLET28001_%smeV.nxspe" % (output_dir, energy), "w").close()
