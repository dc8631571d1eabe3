//! What the settings do to downloads that run. Fetching itself is tested from outside.

use std::time::{Duration, Instant};

use super::*;
use crate::settings::SettingChange;

fn downloads(paths: &Paths, config: HubConfig) -> Arc<Downloads> {
    let (models, events) = (Arc::new(Models::new(paths)), Events::default());
    Arc::new(Downloads::new(
        paths,
        models,
        events,
        Arc::default(),
        config,
    ))
}

/// Bytes a second, and bytes that stay free.
fn in_force(downloads: &Downloads) -> (Option<u64>, u64) {
    let reserve = downloads.models.room().reserve_bytes();
    (downloads.cap.get(), reserve)
}

#[tokio::test]
async fn a_change_of_the_settings_is_in_force_at_once() {
    let home = tempfile::tempdir().unwrap();
    let paths = Paths::under(home.path());
    let settings = Arc::new(SettingsStore::open(&paths, Events::default()));
    let downloads = downloads(&paths, HubConfig::default());
    downloads.obey(&settings);
    assert_eq!(in_force(&downloads), (None, 20 << 30));
    settings
        .set(SettingChange::DownloadLimitMb(3))
        .await
        .unwrap();
    settings.set(SettingChange::DiskReserveGb(7)).await.unwrap();
    let began = Instant::now();
    while in_force(&downloads) != (Some(3_000_000), 7 << 30) {
        assert!(began.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_environment_goes_before_the_settings() {
    let home = tempfile::tempdir().unwrap();
    let paths = Paths::under(home.path());
    let config = HubConfig {
        disk_reserve_bytes: Some(5),
        ..HubConfig::default()
    };
    let downloads = downloads(&paths, config);
    downloads.apply(&Settings {
        disk_reserve_gb: 7,
        ..Settings::default()
    });
    assert_eq!(in_force(&downloads), (None, 5));
}
