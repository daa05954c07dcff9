import os

ip = "IMAT"
step = "0.5°"
folder = f"/output/run-{28001}"
os.makedirs(folder)
match ip:
    case "IMAT":
        count = 200
    case _:
        count = 0
for index in range(count):
    with open(f"{folder}/image_{index:06d}.tif", "wb") as image:
        image.write(b"II*\x00")
print("step", step)
output = f"run-{28001}"
