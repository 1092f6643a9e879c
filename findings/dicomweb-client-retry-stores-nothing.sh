#!/usr/bin/env bash
# DICOMwebClient.store_instances of dicomweb-client 0.61.2 stores nothing, and says nothing, when an archive is busy once: a message
# above 1 MB (chunk_size) is sent from a generator, the first attempt uses it up, and the retry after "503 Service Unavailable"
# sends a body of 0 bytes. The archive answers 200 to what it takes for an empty message, and the call returns without an error.
#
# A guess: a client with retries for 503 (set_http_retry_params, on by default) sends the same message again.
#
# Seen with dicomweb-client 0.61.2, pydicom 3.0.2, an uncompressed RGB image of 700 x 700 pixels, a server that answers 503 once:
#   request 1: 1,470,000 bytes and more, answer 503
#   request 2: 0 bytes, answer 200
#   the call returned; an image of 100 x 100 pixels, below chunk_size, is sent twice whole
#
# For users of PACS: the larger images of a study are missing, and only a query shows it.
# For us: `tmunet pacs` keeps the body in memory, so that each attempt sends all of it (tests/pacs).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 pydicom==3.0.2 dicomweb-client==0.61.2
env -u HTTP_PROXY -u http_proxy -u ALL_PROXY "$dir/venv/bin/python" - <<'PYTHON'
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

EMPTY = b'{"00081199": {"vr": "SQ", "Value": []}}'
bodies: list[int] = []


class Archive(BaseHTTPRequestHandler):
    """Answers 503 to the first message and 200 to the next, and notes the bytes of each."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            size = 0
            while length := int(self.rfile.readline().split(b";")[0], 16):
                self.rfile.read(length + 2)
                size += length
            self.rfile.readline()
        else:
            size = int(self.headers.get("Content-Length", 0))
            self.rfile.read(size)
        bodies.append(size)
        self.send_response(503 if len(bodies) == 1 else 200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(EMPTY)))
        self.end_headers()
        self.wfile.write(EMPTY)

    def log_message(self, *_: object) -> None:
        pass


def image(side: int) -> Dataset:
    """A secondary capture image of side x side RGB pixels."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    one.StudyInstanceUID, one.SeriesInstanceUID = generate_uid(), generate_uid()
    one.Modality, one.Rows, one.Columns, one.SamplesPerPixel = "OT", side, side, 3
    one.PhotometricInterpretation, one.PlanarConfiguration, one.PixelRepresentation = "RGB", 0, 0
    one.BitsAllocated, one.BitsStored, one.HighBit = 8, 8, 7
    one.PixelData = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8).tobytes()
    return one


server = ThreadingHTTPServer(("127.0.0.1", 0), Archive)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = DICOMwebClient(f"http://127.0.0.1:{server.server_port}")
found = {}
for side in (100, 700):
    bodies.clear()
    client.store_instances([image(side)])
    found[side] = list(bodies)
    print(f"{side} x {side}: bytes of each attempt {bodies}")
server.shutdown()
assert len(found[100]) == 2 and found[100][0] == found[100][1] > 100 * 100 * 3
assert found[700][0] > 700 * 700 * 3 and found[700][1:] == [0], found[700]
PYTHON
