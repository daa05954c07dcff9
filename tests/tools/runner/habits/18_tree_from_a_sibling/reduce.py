from VesuvioTransmission import transmission_of

runno = "52695"
output = transmission_of(runno, "foil-out")
