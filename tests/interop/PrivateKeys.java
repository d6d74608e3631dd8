// SPDX-License-Identifier: Apache-2.0
// Signs a file with a key of a PKCS#11 token, through SunPKCS11 and its KeyStore, and verifies
// the signature without it: java PrivateKeys.java CONF PIN ALIAS ALGORITHM FILE SIGNATURE CERTIFICATE
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.Security;
import java.security.Signature;
import java.security.cert.X509Certificate;

public class PrivateKeys {
	public static void main(String[] arguments) throws Exception {
		Provider provider = Security.getProvider("SunPKCS11").configure(arguments[0]);
		Security.addProvider(provider);
		KeyStore store = KeyStore.getInstance("PKCS11", provider);
		store.load(null, arguments[1].toCharArray());

		String alias = arguments[2];
		if (!store.isKeyEntry(alias)) {
			throw new Exception(alias + " is no key with a certificate");
		}
		PrivateKey key = (PrivateKey) store.getKey(alias, null);
		X509Certificate certificate = (X509Certificate) store.getCertificate(alias);
		if (key.getEncoded() != null) {
			throw new Exception("a private key was read");
		}
		byte[] data = Files.readAllBytes(Path.of(arguments[4]));

		Signature signer = Signature.getInstance(arguments[3], provider);
		signer.initSign(key);
		signer.update(data);
		byte[] signature = signer.sign();

		// Without a provider's name, and with a key that is not the token's: Java's own.
		Signature verifier = Signature.getInstance(arguments[3]);
		verifier.initVerify(certificate.getPublicKey());
		verifier.update(data);
		if (!verifier.verify(signature)) {
			throw new Exception("Java does not verify the signature");
		}
		Files.write(Path.of(arguments[5]), signature);
		Files.write(Path.of(arguments[6]), certificate.getEncoded());
	}
}
