//! What Android needs once, before the first connection: which app this is, for asking the system whether it trusts a
//! certificate. Called by `HushpostAndroid.initialize` in bindings/kotlin/android.

use jni::EnvUnowned;
use jni::errors::{Error, ThrowRuntimeExAndDefault};
use jni::objects::{JClass, JObject};

/// `external fun initialize(context: Context)` of `org.hushpost.android.HushpostAndroid`. Throws if the system cannot be
/// asked.
#[unsafe(no_mangle)]
pub extern "system" fn Java_org_hushpost_android_HushpostAndroid_initializeNative<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    context: JObject<'local>,
) {
    let done = env.with_env(|env| -> Result<(), Error> {
        rustls_platform_verifier::android::init_with_env(env, context)
    });
    done.resolve::<ThrowRuntimeExAndDefault>();
}
