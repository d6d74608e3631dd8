# SPDX-License-Identifier: Apache-2.0
"""A program that uses a token, by PyKCS11: what the scenarios written in Python share."""
import PyKCS11 as P

OAEP_SHA256 = P.RSAOAEPMechanism(P.CKM_SHA256, P.CKG_MGF1_SHA256)
PSS_SHA256 = P.RSA_PSS_Mechanism(P.CKM_SHA256_RSA_PKCS_PSS, P.CKM_SHA256, P.CKG_MGF1_SHA256, 32)


class Token:
    """The token of a label, with one session; pin None does not log in."""

    def __init__(self, module, label, pin=None, writing=True):
        self.library = P.PyKCS11Lib()
        self.library.load(module)
        for slot in self.library.getSlotList(tokenPresent=True):
            if self.library.getTokenInfo(slot).label.strip("\0 ") == label:
                break
        else:
            raise SystemExit(f"no token is labelled {label}")
        flags = P.CKF_SERIAL_SESSION | (P.CKF_RW_SESSION if writing else 0)
        self.session = self.library.openSession(slot, flags)
        if pin is not None:
            self.session.login(pin)

    def find(self, kind, label=None, identifier=None):
        template = [(P.CKA_CLASS, kind)]
        if label is not None:
            template.append((P.CKA_LABEL, label))
        if identifier is not None:
            template.append((P.CKA_ID, tuple(identifier)))
        return self.session.findObjects(template)

    def value(self, thing, attribute):
        return self.session.getAttributeValue(thing, [attribute])[0]

    def identifier(self, thing):
        return bytes(self.value(thing, P.CKA_ID))

    def spki(self, public):
        """DER SubjectPublicKeyInfo of an RSA key, from its components, by hand."""
        def tlv(tag, content):
            size = len(content)
            length = bytes([size]) if size < 128 else (
                bytes([0x80 | (size.bit_length() + 7) // 8]) +
                size.to_bytes((size.bit_length() + 7) // 8, "big"))
            return bytes([tag]) + length + content

        def integer(value):
            return tlv(2, (b"\0" if value[0] & 0x80 else b"") + value)

        modulus = bytes(self.value(public, P.CKA_MODULUS))
        exponent = bytes(self.value(public, P.CKA_PUBLIC_EXPONENT))
        algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
        key = tlv(0x30, integer(modulus) + integer(exponent))
        return tlv(0x30, algorithm + tlv(3, b"\0" + key))

    def refuses(self, expected, call, *arguments):
        """Asserts that a call fails with the CKR that is expected, one or several."""
        allowed = expected if isinstance(expected, tuple) else (expected,)
        try:
            call(*arguments)
        except P.PyKCS11Error as error:
            name = P.CKR.get(error.value, hex(error.value))
            assert name in allowed, f"{name}, expected {expected}"
            return
        raise AssertionError(f"{call.__name__} succeeded, expected {expected}")

    def close(self):
        self.session.closeSession()
